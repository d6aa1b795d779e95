"""Where the capacity curve and the critical-size curve cross."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.curves import canonical, of_part, single_curve
from grokbench.statistics.intervals import Interval
from grokbench.theory.crossing import crossing_of
from grokbench.theory.dividing_curves import (
    capacity_curve,
    critical_brackets,
    critical_curve,
)
from grokbench.theory.mirrors import pairs_of
from grokbench.theory.zones import CurveOptions


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
    drawn_by = "grokbench.report.figures.zones:map_of_zones"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("coordinate", "relative_to")

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
