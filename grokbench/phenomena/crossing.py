"""Where the capacity curve and the critical-size curve cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.curves import canonical, of_part, single_curve
from grokbench.phenomena.dividing_curves import (
    CapacityCurve,
    CriticalCurve,
    capacity_curve,
    critical_brackets,
    critical_curve,
)
from grokbench.phenomena.intervals import Floats, Interval
from grokbench.phenomena.jackknife import Replicates
from grokbench.phenomena.mirrors import Pairs, pairs_of
from grokbench.phenomena.zones import CurveOptions

BEYOND = 2.0
"""How far beyond the model sizes tried a crossing is looked for, in doublings of parameters."""

STEP = 1 / 32


@dataclass(frozen=True, eq=False)
class CrossingPoint:
    """The point at which two curves cross, both as log2, with its replicates.

    A replicate whose curves do not cross within reach is infinite on the side where they might.
    """

    parameters: Replicates
    data_size: Replicates


def crossing_of(capacity: CapacityCurve, critical: CriticalCurve, pairs: Pairs) -> CrossingPoint:
    """Where the capacity comes to exceed the critical data size, as models grow.

    Args:
        capacity, critical: the curves, with their replicates.
        pairs: what the critical experiment trains on.

    Raises:
        NotEnoughDataError: the curves do not cross within two doublings of the sizes tried.
    """
    ends = (
        min(capacity.sizes[0], critical.smallest) - BEYOND,
        max(capacity.sizes[-1], critical.largest) + BEYOND,
    )
    sizes = np.arange(ends[0], ends[1] + STEP, STEP)
    held, enough = capacity.at(sizes, pairs), critical.at(sizes)
    place, height = _first(sizes, held[0], enough[0])
    if np.isinf(place):
        which, end = ("above", ends[0]) if place < 0 else ("below", ends[1])
        raise NotEnoughDataError(
            f"the curves do not cross: the capacity is {which} the critical data size from "
            f"{2 ** ends[0]:.0f} to {2 ** ends[1]:.0f} parameters; try model sizes beyond "
            f"{2**end:.0f}"
        )
    seeds = len(critical.seeds)
    memory = np.array([_first(sizes, row, enough[0]) for row in held[1:]])
    left_out = np.array([_first(sizes, held[0], row) for row in enough[1 : 1 + seeds]])
    moved = np.array([_first(sizes, held[0], row) for row in enough[1 + seeds :]])
    parameters, data_size = (
        Replicates(value, [memory[:, axis], left_out[:, axis]], moved[:, axis])
        for axis, value in enumerate((place, height))
    )
    return CrossingPoint(parameters, data_size)


def _first(sizes: Floats, held: Floats, enough: Floats) -> tuple[float, float]:
    """Size and height at which `held` first reaches `enough`.

    Infinite where it never does: minus where it lies above from the first size on.
    """
    gap = held - enough
    if gap[0] >= 0:
        return -np.inf, np.inf
    above = np.flatnonzero(gap >= 0)
    if not above.size:
        return np.inf, -np.inf
    i = int(above[0])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    size = sizes[i - 1] + share * (sizes[i] - sizes[i - 1])
    return float(size), float(enough[i - 1] + share * (enough[i] - enough[i - 1]))


class CrossingOptions(CurveOptions):
    coordinate: Literal["parameters", "data_size"] = "parameters"
    """Of which coordinate the effect is."""
    relative_to: Annotated[float, Field(gt=0)] = 1.0
    """The effect is how many doublings above this the crossing lies."""


class Crossing(Detector):
    """Where the capacity and critical-size curves cross: log2 of the parameters, or of the data.

    Models to the left of it go from progression to grokking as data grow; with less data than at
    the crossing models go from progression through ungrokking to grokking as they grow, and
    accuracy descends twice. Huang et al. 2024, Fig. 1 (the star, which the paper does not locate)
    and takeaway 5.
    """

    name = "crossing"
    Options = CrossingOptions
    roles = ("memorization", "critical")
    null = None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        options = self.options
        critical = of_part(canonical(data["critical"]), options.part)
        critical = single_curve(critical, "model_size", "data_size", "seed")
        in_memory, in_target = pairs_of(data["memorization"], critical)
        capacity = capacity_curve(data["memorization"], in_memory, options.saturated_at)
        enough = critical_curve(critical_brackets(critical, options.generalized_at))
        enough.check_seeds()
        found = crossing_of(capacity, enough, in_target)
        both = {"parameters": found.parameters, "data_size": found.data_size}
        intervals = {name: one.interval(self.confidence) for name, one in both.items()}
        asked, unit = intervals[options.coordinate], options.coordinate.replace("_", " ")
        zero = float(np.log2(options.relative_to))
        details: dict[str, float | bool | list[float]] = {
            f"{name}{end}": float(np.exp2(value))
            for name, one in intervals.items()
            for end, value in (("", one.estimate), ("_low", one.low), ("_high", one.high))
        }
        fitted = [float(2**size) for size in (enough.smallest, enough.largest)]
        outside = not enough.smallest <= found.parameters.value <= enough.largest
        return Finding(
            effect=asked.estimate - zero,
            low=asked.low - zero,
            high=asked.high - zero,
            unit=f"log2 of the {unit} at the crossing"
            + (f" over {options.relative_to:g}" if zero else ""),
            seeds=min(capacity.seeds, len(enough.seeds)),
            evidence=(
                f"the curves cross at {_words(intervals['parameters'])} parameters and "
                f"{_words(intervals['data_size'])} examples"
                + (
                    f", outside the {fitted[0]:.0f} to {fitted[1]:.0f} parameters from which the "
                    "critical data size is known"
                    if outside
                    else ""
                )
            ),
            details={
                **details,
                "extrapolated": outside,
                "critical_slope": float(enough.slopes[0]),
                "critical_fitted": fitted,
            },
        )


def _words(interval: Interval) -> str:
    """`9400 (8800 to 10100)`, from log2."""
    value, low, high = np.exp2([interval.estimate, interval.low, interval.high])
    return f"{value:.0f} ({low:.0f} to {high:.0f})"
