"""The share of runs that show one of the training dynamics.

*Estimated*: the share of finished runs with validation examples whose dynamic is the one expected.

*Method*: `grokbench.readout.classify` reads each run's dynamic from its curves. A seed is one
trial, which succeeds in part if only some of its runs show the dynamic. The interval is that of
Clopper and Pearson (1934).

*Source*: Huang et al. 2024, § 3, Fig. 2.

*Assumptions*: Seeds are independent; runs of one seed need not be. The thresholds between the
dynamics are conventions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import canonical, chance_level
from grokbench.readout.dynamics import Dynamic, DynamicName, Thresholds, classify
from grokbench.statistics.intervals import Floats, share_interval


class DynamicsOptions(Thresholds):
    expected: DynamicName = "grokking"
    """The dynamic whose share of the runs is measured."""


class Dynamics(Detector):
    """The share of runs that show one of the training dynamics.

    Huang et al. 2024, § 3, Fig. 2.
    """

    name = "dynamics"
    Options = DynamicsOptions
    null = None
    drawn_by = "grokbench.report.figures.overview:zones_or_curves"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("expected",)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(_shown, data["experiment"], self.options)
        of_seed = found.share_of_seeds
        share = share_interval(float(of_seed.mean()), len(of_seed), self.confidence)
        return Finding(
            effect=share.estimate,
            low=share.low,
            high=share.high,
            unit=f"share of runs that show {self.options.expected}",
            seeds=len(of_seed),
            evidence=found.evidence,
            details=found.details,
        )


@dataclass(frozen=True, eq=False)
class _Shown:
    """The share of each seed's runs that show the dynamic, [seeds], and the words that go with it."""

    share_of_seeds: Floats
    evidence: str
    details: dict[str, Any]


def _shown(dataset: xr.Dataset, options: DynamicsOptions) -> _Shown:
    runs = classify(canonical(dataset), options)
    known = runs["dynamic"] != int(Dynamic.UNKNOWN)
    if not bool(known.any()):
        raise NotEnoughDataError("no finished run has validation examples")
    shown = (runs["dynamic"] == int(Dynamic.of_label(options.expected))).where(known)
    cells = [dimension for dimension in shown.dims if dimension != "seed"]
    counts = {
        member.label: int((runs["dynamic"] == int(member)).sum())
        for member in Dynamic
        if member is not Dynamic.UNKNOWN
    }
    censored = int(runs["censored"].sum())
    return _Shown(
        shown.mean(cells).dropna("seed").to_numpy(),
        f"{counts[options.expected]} of {int(known.sum())} runs show {options.expected}; {censored} "
        f"had not generalized by their last step{_of_guessing(dataset, options)}",
        {"runs": counts, "censored": censored, "collapsed": int(runs["collapsed"].sum())},
    )


def _of_guessing(dataset: xr.Dataset, options: DynamicsOptions) -> str:
    """What to add to the evidence where a model that guesses may seem to generalize."""
    if options.above_chance:
        return ""
    try:
        chance = chance_level(dataset, options.part)
    except NotEnoughDataError:
        return ""
    if chance < options.generalizing_at / 2:
        return ""
    return (
        f"; untrained models have an accuracy of {chance:.2f}, so that generalizing_at = "
        f"{options.generalizing_at:g} says little: write above_chance = true"
    )
