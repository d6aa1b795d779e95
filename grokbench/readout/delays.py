"""When runs memorize and generalize, and how long the one comes after the other.

Runs are evaluated at some steps only, and for a limited number of steps. So a time is known to lie between two
evaluations, or to lie after the last one (right-censored).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.readout.curves import generalization_accuracy, sustained_crossing
from grokbench.readout.dynamics import Thresholds, levels_of
from grokbench.readout.grid import finished, of_part
from grokbench.statistics.censored_times import Brackets
from grokbench.statistics.intervals import Bools, Floats

Time = Literal["delay", "generalization", "memorization"]
"""`generalization` and `memorization`: the step from which a run has generalized, or memorized. `delay`: the
first divided by the second."""

EARLIEST = 0.5
"""The step that stands for "before step 1" on a logarithmic scale."""


def crossing_times(dataset: xr.Dataset, thresholds: Thresholds) -> xr.Dataset:
    """Between which steps each run memorizes, and between which it generalizes.

    Args:
        dataset: an experiment's dataset, any grid.
        thresholds: from which accuracies a run has memorized, and has generalized.

    Returns:
        Over the grid, in steps: `memorized_after` and `generalized_after` (the last evaluation before the
        threshold is crossed; where it is not crossed, the last one from which a crossing would have been
        seen) and `memorized_by` and `generalized_by` (the first evaluation after crossing; infinite where
        the threshold is not crossed). NaN for runs that have not finished, or that nothing validates.

    Raises:
        NotEnoughDataError: the task does not have the part, or with `above_chance`, the chance level is
            not known.
    """
    data = of_part(dataset, thresholds.part)
    accuracy = generalization_accuracy(data)
    level = levels_of(dataset, thresholds).generalized
    curves = {
        "memorized": (data["train_accuracy"], thresholds.memorized_at),
        "generalized": (accuracy, level),
    }
    known = finished(data) & accuracy.notnull().any("step")
    steps = data["step"].where(data["train_accuracy"].notnull())
    found = {}
    for name, (curve, threshold) in curves.items():
        crossed = sustained_crossing(data, curve, threshold, thresholds.sustained)
        before = steps.where(steps < crossed).max("step").fillna(0)
        last = _last_start(steps, thresholds.sustained)
        found[f"{name}_after"] = before.where(crossed.notnull(), last).where(known)
        found[f"{name}_by"] = crossed.fillna(np.inf).where(known)
    return xr.Dataset(found)


def _last_start(steps: xr.DataArray, evaluations: int) -> xr.DataArray:
    """The last step from which so many evaluations in a row are left; 0 where there is none."""

    def read(values: Floats) -> Floats:
        own = np.sort(values, axis=-1)  # NaN, where a run was not evaluated, comes last
        count = (~np.isnan(own)).sum(axis=-1)
        at = np.clip(count - evaluations, 0, None)
        chosen = np.take_along_axis(own, at[..., None], axis=-1)[..., 0]
        return np.where(count >= evaluations, chosen, 0.0)

    found: xr.DataArray = xr.apply_ufunc(read, steps, input_core_dims=[["step"]])
    return found


@dataclass(frozen=True, eq=False)
class Times:
    """The logarithms (base 10) of a time of some runs, and what was not seen of them."""

    brackets: Brackets
    """[runs]; both ends infinite where nothing is known of the time."""
    memorized: Bools
    """Which runs memorized within their steps, [runs]."""
    generalized: Bools
    """Which runs generalized within their steps, [runs]."""

    @property
    def of_some_use(self) -> Bools:
        """Of which runs at least one end is known, [runs]."""
        return np.isfinite(self.brackets.lower) | np.isfinite(self.brackets.upper)

    def words(self) -> str:
        """How many runs there are, and how many are censored."""
        memorized, generalized = self.memorized, self.generalized
        parts = [f"{int((memorized & generalized).sum())} of {len(memorized)} runs do both"]
        counts = {
            "memorize and do not generalize": memorized & ~generalized,
            "generalize and do not memorize": ~memorized & generalized,
            "do neither": ~memorized & ~generalized,
        }
        parts += [f"{int(one.sum())} {what}" for what, one in counts.items() if one.any()]
        return ", ".join(parts) + " within their steps"


def logarithms(times: xr.Dataset, time: Time) -> Times:
    """The logarithm of a time of each finished run.

    Args:
        times: what `crossing_times` found; the runs are taken in the order of its grid.
        time: which one.
    """
    values = {
        str(name): np.maximum(one.to_numpy().ravel(), EARLIEST) for name, one in times.items()
    }
    done = ~np.isnan(values["memorized_by"])
    values = {name: np.log10(one[done]) for name, one in values.items()}
    ends = {
        name: (values[f"{name}_after"], values[f"{name}_by"])
        for name in ("memorized", "generalized")
    }
    memorized, generalized = ends["memorized"], ends["generalized"]
    if time == "memorization":
        brackets = Brackets(*memorized)
    elif time == "generalization":
        brackets = Brackets(*generalized)
    else:
        brackets = Brackets(generalized[0] - memorized[1], generalized[1] - memorized[0])
    return Times(brackets, np.isfinite(memorized[1]), np.isfinite(generalized[1]))
