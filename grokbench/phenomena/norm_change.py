"""By how much the parameter norm changes while a run generalizes.

*Estimated*: the relative change of the L2 norm of all parameters during the transition to
generalization in grokking or in progression. -0.2 is a fall by a fifth.

*Method*: `transitions` finds the step at which each run's transition starts, and the step at which
it ends. The logarithms of the norm's ratio are averaged over each seed's runs, and then over seeds
(a geometric mean). The interval is Student's t over the seeds' logarithms.

*Source*: Huang et al. 2024, § 3 (takeaway 4), appendix A, Fig. 9.

*Assumptions*: Seeds are independent. The change coincides with generalization; the detector does
not show that one causes the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import (
    canonical,
    generalization_accuracy,
    of_part,
    sustained_crossing,
    value_at,
)
from grokbench.readout.dynamics import Dynamic, Share, Thresholds, classify
from grokbench.statistics.intervals import t_interval


class NormChangeOptions(Thresholds):
    dynamics: Literal["grokking", "progression"] = "grokking"
    """The dynamic whose runs are measured."""
    nearly_final: Share = 0.9
    """The transition in progression ends when accuracy reaches this share of its settled value."""


def transitions(dataset: xr.Dataset, options: NormChangeOptions) -> xr.Dataset:
    """The transition to generalization of each run that shows `options.dynamics`.

    In grokking, the transition starts when the run has memorized, and ends when it has generalized.
    In progression, it starts at the last evaluation before mirror-free accuracy reaches
    `generalizing_at`, and ends when it reaches nearly its settled value.

    Returns:
        Over the grid: `start` and `end` (steps), and `log_ratio` (natural logarithm of the
        parameter norm at the end over that at the start); NaN for runs with another dynamic.

    Raises:
        NotEnoughDataError: the task does not have the part.
    """
    data = of_part(dataset, options.part)
    runs = classify(data, options.model_copy(update={"part": None}))
    if options.dynamics == "grokking":
        kind, start, end = Dynamic.GROKKING, runs["memorized_step"], runs["generalized_step"]
    else:
        accuracy = generalization_accuracy(data)
        nearly = options.nearly_final * runs["final_accuracy"]
        # A run that ends below generalizing_at / nearly_final must still have left the floor.
        risen = nearly.clip(min=options.generalizing_at)
        kind, start = Dynamic.PROGRESSION, _before(data, runs["generalizing_step"])
        end = sustained_crossing(data, accuracy, risen, options.sustained)
    shown = (runs["dynamic"] == int(kind)) & (start < end)
    start, end = start.where(shown), end.where(shown)
    norm = data["parameter_norm"]
    ratio = np.log(value_at(data, norm, end) / value_at(data, norm, start))
    return xr.Dataset({"start": start, "end": end, "log_ratio": ratio})


def _before(dataset: xr.Dataset, step: xr.DataArray) -> xr.DataArray:
    """Each run's last evaluation before a step; NaN where there is none."""
    evaluated = dataset["step"].where(dataset["parameter_norm"].notnull())
    return evaluated.where(evaluated < step).max("step")


def _nothing_generalizes(dataset: xr.Dataset, options: NormChangeOptions) -> bool:
    """Whether every cell of the grid has a finished run, and no run generalizes even in part."""
    runs = classify(dataset, options)
    known = runs["final_accuracy"].notnull()
    generalizes = runs["generalizing_step"].notnull() & known
    return bool(known.any("seed").all()) and not bool(generalizes.any())


class NormChange(Detector):
    """By how much the parameter norm changes while a run generalizes.

    The effect is relative: -0.2 is a fall by a fifth.
    Huang et al. 2024, takeaway 4, appendix A, Fig. 9.
    """

    name = "norm_change"
    Options = NormChangeOptions
    null = None
    drawn_by = "grokbench.report.figures.training:training_curves"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("dynamics", "nearly_final")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        shifts = transitions(canonical(data["experiment"]), self.options)
        ratio = shifts["log_ratio"]
        runs = int(ratio.notnull().sum())
        kind = self.options.dynamics
        cells = [dimension for dimension in ratio.dims if dimension != "seed"]
        of_seed = ratio.mean(cells).dropna("seed").to_numpy()
        if len(of_seed) < 2:
            words = f"{runs} runs of {len(of_seed)} seeds show {kind}; an interval needs 2 seeds"
            if not runs and _nothing_generalizes(data["experiment"], self.options):
                raise OutOfReachError(
                    f"{words}; no run of any cell reaches a mirror-free accuracy of "
                    f"{self.options.generalizing_at:g}, so more seeds cannot test the claim: try other "
                    "model sizes, more examples or more steps"
                )
            raise NotEnoughDataError(words)
        change = t_interval(of_seed, self.confidence)
        fallen = int((ratio < 0).sum())
        direction, moved = ("falls", fallen) if change.estimate < 0 else ("rises", runs - fallen)
        return Finding(
            effect=float(np.expm1(change.estimate)),
            low=float(np.expm1(change.low)),
            high=float(np.expm1(change.high)),
            unit=f"relative change of the parameter norm during {kind}",
            seeds=len(of_seed),
            evidence=f"the norm {direction} in {moved} of the {runs} runs that show {kind}",
            details={
                "runs": runs,
                "fallen": fallen,
                "median_start": float(shifts["start"].median()),
                "median_end": float(shifts["end"].median()),
            },
        )
