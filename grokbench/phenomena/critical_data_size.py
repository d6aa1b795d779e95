"""The smallest amount of data from which models generalize, and how it falls with model size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.critical_data_size import (
    THRESHOLD,
    critical_data_size_brackets,
    critical_data_sizes,
)
from grokbench.readout.dynamics import Share
from grokbench.statistics.intervals import Interval, t_interval
from grokbench.statistics.kendall import fall


class CriticalDataSizeOptions(Options):
    threshold: Share = THRESHOLD
    """Final mirror-free accuracy that counts as generalized."""
    part: str | None = None
    """Which part of the task; the first unless said otherwise."""


class CriticalDataSize(Detector):
    """How consistently the critical data size falls as models grow.

    For each seed, over all pairs of model sizes: the share whose critical data sizes are known to
    fall minus the share known to rise (Kendall's tau for interval-censored values). A pair whose
    brackets overlap counts as neither, so a grid too coarse to tell shows 0, not 1; a pair beyond
    the same end of the grid is unknown and does not count. The interval is Student's t over the
    seeds' values; where they all agree, as if one differed by one pair.
    Huang et al. 2024, takeaway 1, Fig. 3.
    """

    name = "critical_data_size"
    Options = CriticalDataSizeOptions
    drawn_by = "grokbench.report.figures.sizes:against_data_size"
    figure_spans = ("model_size", "data_size")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        dataset, threshold, part = data["experiment"], self.options.threshold, self.options.part
        brackets = critical_data_size_brackets(dataset, threshold, part)
        ends = zip(brackets["lower"].values.T, brackets["upper"].values.T, strict=True)
        falls = [found for ends_of_seed in ends if (found := fall(*ends_of_seed)) is not None]
        taus = [tau for tau, _ in falls]
        if not taus:
            raise NotEnoughDataError(
                "a fall needs finished runs at two model sizes with the same seed, one of whose "
                "critical data sizes lies within the grid; there is no such pair"
            )
        interval = t_interval(np.array(taus), self.confidence)
        if interval.low == interval.high:
            # Seeds that agree do not show that the next one does: one is taken to differ by one pair.
            differing = np.array(taus)
            differing[0] -= 1 / min(pairs for _, pairs in falls)
            away = t_interval(differing, self.confidence)
            half = (away.high - away.low) / 2
            interval = Interval(interval.estimate, interval.low - half, interval.high + half)
        curve = critical_data_sizes(dataset, threshold, part).dropna("model_size", subset=["low"])
        first, last = curve.isel(model_size=0), curve.isel(model_size=-1)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="pairs of model sizes whose critical data size falls, less those where it rises",
            seeds=len(taus),
            evidence=(
                f"the critical data size is {_words(first)} at size {first['model_size'].item()} "
                f"and {_words(last)} at size {last['model_size'].item()}"
            ),
            details={
                "model_sizes": [str(label) for label in curve["model_size"].to_numpy()],
                "low": [float(value) for value in curve["low"]],
                "high": [float(value) for value in curve["high"]],
                "doublings_at_least": _doublings(first["low"], last["high"]),
                "doublings_at_most": _doublings(first["high"], last["low"]),
            },
        )


def _doublings(small: xr.DataArray, large: xr.DataArray) -> float:
    """log2(small / large): how far the critical data size falls between two bounds."""
    with np.errstate(divide="ignore"):
        return float(np.log2(float(small)) - np.log2(float(large)))


def _words(size: xr.Dataset) -> str:
    low, high = float(size["low"]), float(size["high"])
    if low == 0:
        return f"at most {high:g}"
    return f"above {low:g}" if np.isinf(high) else f"between {low:g} and {high:g}"
