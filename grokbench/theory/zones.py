"""The zone map of Huang et al. 2024, Fig. 1: the training dynamic predicted for each cell.

| data size | zone |
| --- | --- |
| from the capacity of the model size on | progression |
| else from the critical data size on | grokking |
| else just below the critical data size | semi-grokking |
| else | ungrokking |

The two curves are measured with errors, so each zone has a probability in each cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import xarray as xr
from pydantic import Field, model_validator
from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.readout import canonical, log2_parameters, of_part, single_curve
from grokbench.readout.capacity import SATURATED_AT
from grokbench.readout.dynamics import Dynamic, Share, Thresholds
from grokbench.record import Status
from grokbench.statistics.intervals import Bools, Floats
from grokbench.statistics.jackknife import Replicates
from grokbench.theory.capacity_curve import CapacityCurve, capacity_curve
from grokbench.theory.critical_curve import (
    CriticalBrackets,
    CriticalCurve,
    critical_brackets,
    critical_curve,
)
from grokbench.theory.mirrors import pairs_of

ZONES = (
    Dynamic.PROGRESSION,
    Dynamic.UNGROKKING,
    Dynamic.SEMI_GROKKING,
    Dynamic.GROKKING,
)
"""The dynamics that the theory predicts, in the order in which probabilities are given."""


class CurveOptions(Thresholds):
    saturated_at: Annotated[float, Field(gt=0, le=1)] = SATURATED_AT
    """Mean accuracy on random labels from which a capacity is only a lower bound."""

    @model_validator(mode="after")
    def _from_zero(self) -> Self:
        if self.above_chance:
            raise ValueError(
                "above_chance: curves and zones are read with accuracies that count from 0; leave it out"
            )
        return self


class ZoneOptions(CurveOptions):
    band: Share | Literal["measured"] = 0.3
    """The width of the semi-grokking zone, as a share of the critical data size.

    0.3 is from Huang et al. 2024, § 2.2: about 1000 examples, where critical data sizes are 3000 to
    4000. "measured" fits the lower border to the critical experiment in the same way as the
    critical curve, with the threshold `generalizing_at` instead of `generalized_at`.
    """


@dataclass(frozen=True, eq=False)
class ZoneProbabilities:
    """The probability of each zone, [sizes, data sizes, zones]."""

    memorization: Replicates
    """With replicates of the experiment on random labels."""
    critical: Replicates
    """With replicates of the critical experiment. Its estimate is the same as `memorization`'s."""

    @property
    def estimate(self) -> Floats:
        """From all seeds; NaN in cells where too little is known."""
        return self.critical.estimate


@dataclass(frozen=True, eq=False)
class Borders:
    """The borders between the zones: log2 of a number of examples, [sizes]."""

    capacity: Replicates
    onset: Replicates
    """Where semi-grokking begins."""
    critical: Replicates

    def probabilities(self, data_sizes: Floats) -> ZoneProbabilities:
        """The probability of each zone at some data sizes, given as log2, [data sizes]."""
        capacity, onset, critical = (
            _probability_above(border, data_sizes)
            for border in (self.capacity, self.onset, self.critical)
        )
        return ZoneProbabilities(
            capacity.map(lambda one: _of_zones(one, onset.estimate, critical.estimate)),
            onset.map(lambda *both: _of_zones(capacity.estimate, *both), critical),
        )


def _probability_above(border: Replicates, data_sizes: Floats) -> Replicates:
    """The probability that data sizes lie at or above a border, [sizes, data sizes].

    The error of a border has Student's t distribution. Where the standard error is 0, the
    probability is 0 or 1. Every replicate has the standard error of the estimate.
    """
    error = border.standard_error[:, None]
    exact = error == 0
    freedom = max(border.seeds - 1, 1)

    def probability(heights: Floats) -> Floats:
        distance = data_sizes - heights[:, None]
        uncertain = stats.t.cdf(distance / np.where(exact, 1, error), freedom)
        return np.where(exact, np.where(distance >= 0, 1.0, 0.0), uncertain)

    return border.map(probability)


def _of_zones(above_capacity: Floats, above_onset: Floats, above_critical: Floats) -> Floats:
    """Probabilities of ZONES, from the probabilities of lying above each border; they add up to 1.

    The capacity is measured on other runs than the critical curve. Their errors are independent,
    and the probabilities multiply.
    """
    below_capacity = 1 - above_capacity
    # The onset lies below the critical data size, so P(onset ≤ D < critical) is a difference. With
    # errors it could be negative; semi-grokking then has probability 0.
    above_onset = np.maximum(above_onset, above_critical)
    return np.stack(
        [
            above_capacity,
            below_capacity * (1 - above_onset),
            below_capacity * (above_onset - above_critical),
            below_capacity * above_critical,
        ],
        axis=-1,
    )


@dataclass(frozen=True, eq=False)
class ZoneMap:
    """The borders of the zones at every model size of a target; NaN where too little is known."""

    target: xr.Dataset
    """One part of the target, sorted."""
    capacity: CapacityCurve
    critical: CriticalCurve
    """Fitted to all model sizes."""
    borders: Borders
    held_out: Bools
    """Model sizes that share runs with the critical experiment, bool [sizes].

    Each is predicted by a critical curve that is fitted without it.
    """

    @property
    def sizes(self) -> Floats:
        """log2 of the parameters, [sizes]."""
        return log2_parameters(self.target)

    @property
    def data_sizes(self) -> Floats:
        """log2 of the data sizes, [data sizes]."""
        return np.asarray(np.log2(self.target["data_size"].to_numpy().astype(float)))


def zone_map(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: ZoneOptions
) -> ZoneMap:
    """Measure both curves, and read the borders off them at the target's model sizes.

    No run predicts itself: where target and critical experiment share runs of a model size, the
    critical curve for that size is fitted without that size.

    Raises:
        NotEnoughDataError: too little to measure a curve.
    """
    data, fitted = (
        single_curve(of_part(canonical(one), options.part), "model_size", "data_size", "seed")
        for one in (target, critical)
    )
    memorized_pairs, target_pairs = pairs_of(memorization, data)
    capacity = capacity_curve(memorization, memorized_pairs, options.saturated_at)
    brackets = critical_brackets(fitted, options.generalized_at)
    held_out = _shares_runs(fitted, data)
    critical_heights = _predicted_heights(brackets, fitted, data, held_out)
    if options.band == "measured":
        onset_brackets = critical_brackets(fitted, options.generalizing_at)
        onset = _predicted_heights(onset_brackets, fitted, data, held_out)
    else:
        width = np.log2(1 - options.band)
        onset = critical_heights.map(lambda heights: heights + width)
    borders = Borders(capacity.at(log2_parameters(data), target_pairs), onset, critical_heights)
    return ZoneMap(data, capacity, critical_curve(brackets), borders, held_out)


def zones(
    memorization: xr.Dataset,
    critical: xr.Dataset,
    target: xr.Dataset,
    options: ZoneOptions | None = None,
) -> xr.Dataset:
    """The zone in which each cell of a target lies, by Fig. 1 of Huang et al. 2024.

    Args:
        memorization: an experiment on random labels, which gives the capacity curve.
        critical: an experiment with several data sizes, which gives the critical curve.
        target: the experiment whose dynamics are predicted; may be `critical` itself.
        options: thresholds and the width of the semi-grokking zone.

    Returns:
        `zone` over `model_size` and `data_size` (int8, the values of `Dynamic`; UNKNOWN where too
        little is known): the most probable zone. `probability` over `model_size`, `data_size` and
        `dynamic`: of each zone, given the errors of the curves.

    Raises:
        NotEnoughDataError: too little to measure a curve.
    """
    found = zone_map(memorization, critical, target, options or ZoneOptions())
    probable = found.borders.probabilities(found.data_sizes).estimate
    unknown = np.isnan(probable).any(axis=-1)
    likeliest = np.array(ZONES)[np.where(unknown, 0, probable.argmax(axis=-1))]
    over = ("model_size", "data_size")
    return xr.Dataset(
        {
            "zone": (over, np.where(unknown, int(Dynamic.UNKNOWN), likeliest).astype(np.int8)),
            "probability": ((*over, "dynamic"), probable),
        },
        {
            **{name: found.target[name] for name in over},
            "dynamic": [dynamic.label for dynamic in ZONES],
        },
    )


def _shares_runs(critical: xr.Dataset, target: xr.Dataset) -> Bools:
    """Which of the target's model sizes share a finished run with the critical experiment.

    Without run ids: all sizes if the two datasets are equal, else none.
    """
    sizes = target.sizes["model_size"]
    if "run_id" not in critical or "run_id" not in target:
        return np.full(sizes, critical.equals(target))
    theirs, ours = (
        one["run_id"].where(one["status"] == int(Status.DONE), "") for one in (critical, target)
    )
    common = ours.isin(np.setdiff1d(theirs.to_numpy().ravel(), [""]))
    return np.asarray(common.any(["data_size", "seed"]).to_numpy())


def _predicted_heights(
    brackets: CriticalBrackets, critical: xr.Dataset, target: xr.Dataset, held_out: Bools
) -> Replicates:
    """log2 of the critical data size at the target's model sizes, [sizes].

    A held-out size is predicted by a curve fitted without that size: NaN where fewer than two
    sizes remain for the fit.
    """
    sizes = log2_parameters(target)
    # The replicates of every fit have the same order (all seeds, without each seed, with each
    # size's brackets moved), so a column of one fit can replace the column of another.
    heights = critical_curve(brackets).at(sizes).rows
    labels = critical["model_size"].to_numpy().astype(str)
    for index in np.flatnonzero(held_out):
        own = labels == str(target["model_size"].to_numpy()[index])
        try:
            others = critical_curve(brackets, without=own).at(sizes[[index]]).rows
        except NotEnoughDataError:
            others = np.full((len(heights), 1), np.nan)
        heights[:, index] = others[:, 0]
    return Replicates.from_rows(heights, len(brackets.seeds))
