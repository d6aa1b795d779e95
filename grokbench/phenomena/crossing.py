"""Where the capacity curve and the critical curve cross.

*Estimated*: log2 of the number of parameters at which the capacity comes to exceed the critical
data size, or log2 of the data size at that point.

*Method*: Both curves are measured (`grokbench.theory`). The crossing is the smallest model size at
which the capacity reaches the critical data size. The interval is a jackknife over the seeds of
both experiments and over the rounding errors of the data sizes. It has no ends unless the critical
data size of two model sizes or more lies within the grid.

*Source*: Huang et al. 2024, § 3, Fig. 1 (the star, which the paper does not locate) and takeaway 5:
double descent needs less data than at the crossing.

*Assumptions*: The capacity rises with model size and is a power law beyond the sizes measured; the
critical data size is a power law. The two experiments and their seeds are independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import canonical, of_part, single_curve
from grokbench.statistics.intervals import Interval
from grokbench.statistics.jackknife import Jackknife
from grokbench.theory.capacity_curve import CapacityCurve, capacity_curve
from grokbench.theory.critical_curve import CriticalCurve, critical_brackets, critical_curve
from grokbench.theory.crossing import CrossingPoint, crossing_of
from grokbench.theory.mirrors import pairs_of
from grokbench.theory.zones import CurveOptions


class CrossingOptions(CurveOptions):
    coordinate: Literal["parameters", "data_size"] = "parameters"
    """The coordinate of the crossing that is the effect."""
    relative_to: Annotated[float, Field(gt=0)] = 1.0
    """The effect is the number of doublings from this value to the crossing."""


class Crossing(Detector):
    """Where the capacity and critical curves cross: log2 of the parameters, or of the data.

    To the left of the crossing, models go from progression to grokking as data grow. With less data
    than at the crossing, models go from progression through ungrokking to grokking as they grow,
    and validation accuracy descends twice. Huang et al. 2024, Fig. 1 and takeaway 5.
    """

    name = "crossing"
    Options = CrossingOptions
    roles = ("memorization", "critical")
    null = None
    drawn_by = "grokbench.report.figures.zones:map_of_zones"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("coordinate", "relative_to")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        options = self.options
        found = self.once(_curves, data["memorization"], data["critical"], options)
        capacity, enough, unbounded = found.capacity, found.critical, found.unbounded
        intervals = {
            name: _widest(
                [getattr(point, name) for point in found.points], self.confidence, unbounded
            )
            for name in ("parameters", "data_size")
        }
        asked, unit = intervals[options.coordinate], options.coordinate.replace("_", " ")
        zero = float(np.log2(options.relative_to))
        over = f", relative to {options.relative_to:g}" if zero else ""
        fitted = [float(2**size) for size in (enough.smallest, enough.largest)]
        extrapolated = not enough.smallest <= found.points[0].parameters.estimate <= enough.largest
        evidence = (
            f"the curves cross at {_words(intervals['parameters'])} parameters and "
            f"{_words(intervals['data_size'])} examples"
        )
        if extrapolated:
            evidence += (
                f", outside the {fitted[0]:.0f} to {fitted[1]:.0f} parameters at which the "
                "critical data size was measured"
            )
        if unbounded:
            evidence += (
                "; fewer than two model sizes have a critical data size within the grid, so that "
                "nothing bounds the crossing: try other data sizes"
            )
        return Finding(
            effect=asked.estimate - zero,
            low=asked.low - zero,
            high=asked.high - zero,
            unit=f"log2 of the {unit} at the crossing{over}",
            seeds=min(capacity.seeds, len(enough.seeds)),
            evidence=evidence,
            details={
                **_in_numbers(intervals),
                "extrapolated": extrapolated,
                "critical_slope": float(enough.slopes.estimate),
                "critical_fitted": fitted,
            },
        )


@dataclass(frozen=True, eq=False)
class _Curves:
    """Both curves, and where they cross."""

    capacity: CapacityCurve
    critical: CriticalCurve
    points: list[CrossingPoint]
    """All have the same estimate; each allows for other rounding errors of the data sizes."""
    unbounded: bool
    """Whether fewer than two model sizes have a critical data size within the grid."""


def _curves(
    memorization: xr.Dataset, critical_runs: xr.Dataset, options: CrossingOptions
) -> _Curves:
    critical = of_part(canonical(critical_runs), options.part)
    critical = single_curve(critical, "model_size", "data_size", "seed")
    in_memory, in_target = pairs_of(memorization, critical)
    capacity = capacity_curve(memorization, in_memory, options.saturated_at)
    brackets = critical_brackets(critical, options.generalized_at)
    enough = critical_curve(brackets)
    enough.check_seeds()
    points = [crossing_of(capacity, enough, in_target)]
    if brackets.agree.any():
        points.append(crossing_of(capacity, critical_curve(brackets, agreement=True), in_target))
    return _Curves(capacity, enough, points, brackets.measured < 2)


def _widest(points: Sequence[Jackknife], confidence: float, unbounded: bool) -> Interval:
    """The interval that contains those of all points, which have one estimate."""
    intervals = [point.interval(confidence) for point in points]
    return Interval(
        intervals[0].estimate,
        -np.inf if unbounded else min(one.low for one in intervals),
        np.inf if unbounded else max(one.high for one in intervals),
    )


def _in_numbers(intervals: Mapping[str, Interval]) -> dict[str, float]:
    """`parameters`, `parameters_low`, `parameters_high` and so on, from log2."""
    return {
        f"{name}{end}": float(np.exp2(value))
        for name, one in intervals.items()
        for end, value in (("", one.estimate), ("_low", one.low), ("_high", one.high))
    }


def _words(interval: Interval) -> str:
    """`9400 (8800 to 10100)`, from log2."""
    value, low, high = np.exp2([interval.estimate, interval.low, interval.high])
    return f"{value:.0f} ({low:.0f} to {high:.0f})"
