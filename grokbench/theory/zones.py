"""The four zones of Huang et al. 2024, Fig. 1, as far as the two measured curves tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.readout.capacity import SATURATED_AT
from grokbench.readout.curves import canonical, of_part, single_curve
from grokbench.readout.dynamics import Dynamic, Share, Thresholds
from grokbench.record import Status
from grokbench.statistics.intervals import Floats
from grokbench.theory.dividing_curves import (
    Bools,
    CapacityCurve,
    CriticalBrackets,
    CriticalCurve,
    capacity_curve,
    critical_brackets,
    critical_curve,
    log2_parameters,
)
from grokbench.theory.mirrors import pairs_of

FORETOLD = (
    Dynamic.PROGRESSION,
    Dynamic.UNGROKKING,
    Dynamic.SEMI_GROKKING,
    Dynamic.GROKKING,
)


class CurveOptions(Thresholds):
    saturated_at: Annotated[float, Field(gt=0, le=1)] = SATURATED_AT
    """Accuracy on random labels from which a capacity is only a lower bound."""


class ZoneOptions(CurveOptions):
    band: Share | Literal["measured"] = 0.3
    """Semi-grokking is expected from this share below the critical data size up to it.

    Huang et al. 2024, § 2.2: about 1000 examples, at critical sizes of 3000 to 4000. "measured"
    takes the band from the critical experiment: from where the median run ends at `generalizing_at`.
    """


@dataclass(frozen=True, eq=False)
class Border:
    """One border between zones at some model sizes: log2 of a number of examples.

    `heights` are [1 + seeds + …, sizes], the estimate first; `spread` is its standard error and
    `freedom` that error's degrees of freedom.
    """

    heights: Floats
    spread: Floats
    freedom: int

    def passed(self, amounts: Floats) -> Floats:
        """How probably amounts of data (log2) lie at or above it: [1 + seeds + …, sizes, amounts]."""
        distance = amounts - self.heights[..., None]
        exact = self.spread[:, None] == 0
        scaled = distance / np.where(exact, 1, self.spread[:, None])
        probable = stats.t.cdf(scaled, self.freedom)
        return np.asarray(np.where(exact, np.where(distance >= 0, 1.0, 0.0), probable))


@dataclass(frozen=True, eq=False)
class Borders:
    """The borders of the four zones at some model sizes, and by whose seeds they were measured."""

    capacity: Border
    onset: Border
    """Where semi-grokking begins."""
    critical: Border

    def probabilities(self, amounts: Floats, capacity: int = 0, critical: int = 0) -> Floats:
        """How probable each zone is, [sizes, amounts, dynamics], in the order of FORETOLD.

        Args:
            amounts: log2 of numbers of examples.
            capacity, critical: which row of each curve's heights to go by.
        """
        too_much = self.capacity.passed(amounts)[capacity]
        enough = self.critical.passed(amounts)[critical]
        begun = np.maximum(self.onset.passed(amounts)[critical], enough)
        fits = 1 - too_much
        return np.stack(
            [too_much, fits * (1 - begun), fits * (begun - enough), fits * enough], axis=-1
        )


@dataclass(frozen=True, eq=False)
class ZoneMap:
    """The borders for every model size of a target; NaN where there was too little to go by."""

    target: xr.Dataset
    """One part of it, in natural order."""
    borders: Borders
    capacity: CapacityCurve
    critical: CriticalCurve
    """Fitted to all model sizes."""
    alone: Bools
    """Which model sizes share runs with the critical experiment, and are foretold without it."""

    @property
    def sizes(self) -> Floats:
        return log2_parameters(self.target)

    @property
    def amounts(self) -> Floats:
        return np.asarray(np.log2(self.target["data_size"].to_numpy().astype(float)))


def zone_map(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: ZoneOptions
) -> ZoneMap:
    """Measure both curves and read the borders off them at the target's model sizes.

    A model size that the target and the critical experiment have runs in common of is read off a
    curve fitted without that size, so that no run foretells itself.

    Raises:
        NotEnoughDataError: too little to measure a curve.
    """
    data, fitted = (
        single_curve(of_part(canonical(one), options.part), "model_size", "data_size", "seed")
        for one in (target, critical)
    )
    in_memory, in_target = pairs_of(memorization, data)
    capacity = capacity_curve(memorization, in_memory, options.saturated_at)
    held = capacity.at(log2_parameters(data), in_target)
    brackets = critical_brackets(fitted, options.generalized_at)
    alone = _shared(fitted, data)
    enough = _without_each(brackets, fitted, data, alone)
    if options.band == "measured":
        begun = _without_each(
            critical_brackets(fitted, options.generalizing_at), fitted, data, alone
        )
    else:
        begun = enough + np.log2(1 - options.band)
    seeds = len(brackets.seeds)
    borders = Borders(
        Border(held, spread_of(held, len(held) - 1), max(len(held) - 2, 1)),
        Border(begun, spread_of(begun, seeds), max(seeds - 1, 1)),
        Border(enough, spread_of(enough, seeds), max(seeds - 1, 1)),
    )
    return ZoneMap(data, borders, capacity, critical_curve(brackets), alone)


def zones(
    memorization: xr.Dataset,
    critical: xr.Dataset,
    target: xr.Dataset,
    options: ZoneOptions | None = None,
) -> xr.Dataset:
    """The zone that each cell of `target` lies in, by Fig. 1 of Huang et al. 2024.

    More data than the model's capacity: progression. Otherwise less than the critical data size:
    ungrokking, or just below it semi-grokking; from it on: grokking.

    Returns:
        `zone` over `model_size` and `data_size` (int8, the values of `Dynamic`; UNKNOWN where too
        little is known) and `probability`, how probable each dynamic is under the curves'
        uncertainty, along `dynamic` too.
    """
    found = zone_map(memorization, critical, target, options or ZoneOptions())
    probable = found.borders.probabilities(found.amounts)
    unknown = np.isnan(probable).any(axis=-1)
    likeliest = np.array(FORETOLD)[np.where(unknown, 0, probable.argmax(axis=-1))]
    over = ("model_size", "data_size")
    return xr.Dataset(
        {
            "zone": (over, np.where(unknown, int(Dynamic.UNKNOWN), likeliest).astype(np.int8)),
            "probability": ((*over, "dynamic"), probable),
        },
        {
            **{name: found.target[name] for name in over},
            "dynamic": [dynamic.label for dynamic in FORETOLD],
        },
    )


def spread_of(heights: Floats, seeds: int) -> Floats:
    """The standard error of heights [1 + seeds + …, n] by the jackknife, and by rounding."""
    left_out = heights[1 : 1 + seeds]
    varied = (seeds - 1) / max(seeds, 1) * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    rounded = ((heights[1 + seeds :] - heights[0]) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(varied + rounded))


def _shared(critical: xr.Dataset, target: xr.Dataset) -> Bools:
    """Which of the target's model sizes have a finished run that the critical experiment has too."""
    sizes = target.sizes["model_size"]
    if "run_id" not in critical or "run_id" not in target:
        return np.full(sizes, critical.equals(target))
    theirs, ours = (
        one["run_id"].where(one["status"] == int(Status.DONE), "") for one in (critical, target)
    )
    common = ours.isin(np.setdiff1d(theirs.to_numpy().ravel(), [""]))
    return np.asarray(common.any(["data_size", "seed"]).to_numpy())


def _without_each(
    brackets: CriticalBrackets, critical: xr.Dataset, target: xr.Dataset, alone: Bools
) -> Floats:
    """The critical curve at each of the target's sizes, fitted without it where it stands alone."""
    sizes = log2_parameters(target)
    heights = critical_curve(brackets).at(sizes)
    labels = critical["model_size"].to_numpy().astype(str)
    for index in np.flatnonzero(alone):
        own = labels == str(target["model_size"].to_numpy()[index])
        try:
            heights[:, index] = critical_curve(brackets, without=own).at(sizes[[index]])[:, 0]
        except NotEnoughDataError:
            heights[:, index] = np.nan
    return heights
