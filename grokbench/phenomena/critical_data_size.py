"""How consistently the critical data size falls as models grow.

*Estimated*: Kendall's tau between model size and critical data size, with its sign reversed: 1
where the critical data size falls from each model size to every larger one.

*Method*: For each seed, the critical data size of each model size is known to lie between two data
sizes. Kendall's tau for such interval-censored values counts the pairs of model sizes whose order
is known. The interval is Student's t over the seeds' values.

*Source*: Huang et al. 2024, § 2.2, takeaway 1, Fig. 3.

*Assumptions*: Seeds are independent. The grid is fine enough to tell model sizes apart: a pair
whose brackets overlap counts as neither falling nor rising, so a coarse grid shows 0, not 1.
"""

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
from grokbench.statistics.kendall import Tau, kendall_tau


class CriticalDataSizeOptions(Options):
    threshold: Share = THRESHOLD
    """Settled mirror-free accuracy from which a run counts as generalized."""
    part: str | None = None
    """A part of the task, by default the first."""


class CriticalDataSize(Detector):
    """How consistently the critical data size falls as models grow.

    Kendall's tau between model size and critical data size, with its sign reversed.
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
        taus = [tau for of_seed in ends if (tau := kendall_tau(*of_seed)) is not None]
        if not taus:
            raise NotEnoughDataError(
                "a fall needs finished runs at two model sizes with the same seed, one of whose "
                "critical data sizes lies within the grid; there is no such pair"
            )
        fall = _fall(taus, self.confidence)
        curve = critical_data_sizes(dataset, threshold, part).dropna("model_size", subset=["low"])
        first, last = curve.isel(model_size=0), curve.isel(model_size=-1)
        return Finding(
            effect=fall.estimate,
            low=fall.low,
            high=fall.high,
            unit="Kendall's tau between model size and critical data size, sign reversed",
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


def _fall(taus: list[Tau], confidence: float) -> Interval:
    """The mean of the taus with their signs reversed."""
    # Not -tau: a tau of 0 would become -0.0, which looks odd in a verdict.
    falls = np.array([0.0 - tau.value for tau in taus])
    interval = t_interval(falls, confidence)
    if interval.low < interval.high:
        return interval
    # Seeds that agree do not show that the next one does. The interval has the width that it would
    # have if one seed differed by one pair of model sizes.
    falls[0] -= 1 / min(tau.pairs for tau in taus)
    away = t_interval(falls, confidence)
    half = (away.high - away.low) / 2
    return Interval(interval.estimate, interval.low - half, interval.high + half)


def _doublings(small: xr.DataArray, large: xr.DataArray) -> float:
    """log2(small / large): the number of doublings by which the critical data size falls."""
    with np.errstate(divide="ignore"):
        return float(np.log2(float(small)) - np.log2(float(large)))


def _words(size: xr.Dataset) -> str:
    low, high = float(size["low"]), float(size["high"])
    if low == 0:
        return f"at most {high:g}"
    return f"above {low:g}" if np.isinf(high) else f"between {low:g} and {high:g}"
