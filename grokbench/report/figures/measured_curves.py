"""The two measured curves that divide the zone map."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from grokbench.readout import capacities, critical_data_sizes
from grokbench.report.scales import model_positions
from grokbench.statistics.intervals import Floats

CAPACITY = "memorization capacity"
CRITICAL = "critical data size"


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """A number of examples for each model size, all [sizes]; NaN where it is unknown.

    `low` is 0 where only an upper bound is known, `high` is infinite where only a lower bound is.
    """

    label: str
    positions: Floats
    values: Floats
    low: Floats
    high: Floats


def capacity_curve(memorization: xr.Dataset) -> MeasuredCurve:
    """The memorization capacity: the mean over seeds and its interval."""
    found = capacities(memorization)
    bounds = (found[name].to_numpy() for name in ("capacity", "low", "high"))
    return MeasuredCurve(CAPACITY, model_positions(found), *bounds)


def critical_curve(target: xr.Dataset, threshold: float) -> MeasuredCurve:
    """The critical data size of the median seed, and the two tested data sizes around it."""
    found = critical_data_sizes(target, threshold)
    bounds = (found[name].to_numpy() for name in ("estimate", "low", "high"))
    return MeasuredCurve(CRITICAL, model_positions(found), *bounds)
