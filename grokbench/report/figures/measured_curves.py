"""The two curves that divide the map of zones, and where they cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.phenomena import capacities, critical_data_sizes
from grokbench.phenomena.intervals import Floats
from grokbench.report.scales import model_positions

CAPACITY = "memorization capacity"
CRITICAL = "critical data size"


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """A number of examples for each model size, all [sizes]; NaN where it is not known.

    `low` is 0 where only an upper bound is known, `high` infinite where only a lower one is.
    """

    label: str
    positions: Floats
    values: Floats
    low: Floats
    high: Floats

    def logarithm_at(self, positions: Floats) -> Floats:
        """log2 of the examples, straight between known sizes over log2; NaN beyond them."""
        known = (self.values > 0) & ~np.isnan(self.positions)
        if not known.any():
            return np.full(len(positions), np.nan)
        return np.interp(
            np.log2(positions),
            np.log2(self.positions[known]),
            np.log2(self.values[known]),
            left=np.nan,
            right=np.nan,
        )


def capacity_curve(memorization: xr.Dataset) -> MeasuredCurve:
    """The memorization capacity, the mean over seeds and its interval."""
    found = capacities(memorization)
    bounds = (found[name].to_numpy() for name in ("capacity", "low", "high"))
    return MeasuredCurve(CAPACITY, model_positions(found), *bounds)


def critical_curve(target: xr.Dataset, threshold: float) -> MeasuredCurve:
    """The critical data size of the median seed, and the two data sizes it lies between."""
    found = critical_data_sizes(target, threshold)
    bounds = (found[name].to_numpy() for name in ("estimate", "low", "high"))
    return MeasuredCurve(CRITICAL, model_positions(found), *bounds)


def crossing(first: MeasuredCurve, second: MeasuredCurve) -> tuple[float, float] | None:
    """The smallest model's position at which the curves meet, and the examples; None if nowhere."""
    knots = np.unique(np.concatenate([first.positions, second.positions]))
    knots = knots[~np.isnan(knots)]
    gaps = first.logarithm_at(knots) - second.logarithm_at(knots)
    for i in range(len(knots) - 1):
        left, right = gaps[i], gaps[i + 1]
        if left * right <= 0 and left != right:
            share = left / (left - right)
            position = np.exp2((1 - share) * np.log2(knots[i]) + share * np.log2(knots[i + 1]))
            (examples,) = np.exp2(first.logarithm_at(np.array([position])))
            return float(position), float(examples)
    return None
