"""How consistently, or how steeply, the critical data size falls as models grow.

*Estimated*: with `effect = "tau"`, Kendall's tau between model size and critical data size, with its
sign reversed: 1 where the critical data size falls from each model size to every larger one. With
`effect = "slope"`, how steeply it falls: in doublings of the critical data size for each doubling of
the parameters, with its sign reversed.

*Method*: `tau`: for each seed, the critical data size of each model size is known to lie between two
data sizes. Kendall's tau for such interval-censored values counts the pairs of model sizes whose
order is known. The interval is Student's t over the seeds' values. `slope`: each run is a trial that
generalizes or does not. A line in log2 of the parameters and log2 of the data size divides the
trials (`grokbench.statistics.dividing_line`); the interval comes from likelihood ratios. It lies
above or below zero only if a permutation test for a trend within data sizes agrees.

*Source*: Huang et al. 2024, § 2.2, takeaway 1, Fig. 3. The line is the critical curve of Fig. 1.

*Assumptions*: `tau`: Seeds are independent. The grid is fine enough to tell model sizes apart: a pair
whose brackets overlap counts as neither falling nor rising, so a coarse grid shows 0, not 1.
`slope`: Runs are independent, those of one seed too. The critical data size is a power law of the
parameters, and runs vary about it as much at every model size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import log2_parameters
from grokbench.readout.critical_data_size import (
    THRESHOLD,
    critical_data_size_brackets,
    critical_data_sizes,
    runs_that_generalize,
)
from grokbench.readout.dynamics import Share
from grokbench.statistics.dividing_line import DividingLine, Trials, dividing_line
from grokbench.statistics.intervals import Interval, t_interval
from grokbench.statistics.kendall import Tau, kendall_tau
from grokbench.statistics.trend import Trend, trend_test


class CriticalDataSizeOptions(Options):
    effect: Literal["tau", "slope"] = "tau"
    """How consistently the critical data size falls, from -1 to 1; or how steeply, in doublings for
    each doubling of the parameters."""
    threshold: Share = THRESHOLD
    """Settled mirror-free accuracy from which a run counts as generalized."""
    part: str | None = None
    """A part of the task, by default the first."""


class CriticalDataSize(Detector):
    """How consistently, or how steeply, the critical data size falls as models grow.

    Kendall's tau between model size and critical data size, or the slope of the line between runs
    that generalize and runs that do not; with the sign reversed.
    Huang et al. 2024, takeaway 1, Fig. 3.
    """

    name = "critical_data_size"
    Options = CriticalDataSizeOptions
    drawn_by = "grokbench.report.figures.sizes:against_data_size"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("effect",)

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        if self.options.effect == "tau":
            return None
        for name, wanted in (
            ("model_size", "smaller and larger models"),
            ("data_size", "less and more data"),
        ):
            if lengths["experiment"].get(name, 1) < 2:
                return (
                    f'`effect = "slope"` compares {wanted}, and there is one {name} only; '
                    f"select two or more"
                )
        return None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        if self.options.effect == "slope":
            return self._slope(data["experiment"])
        return self._tau(data["experiment"])

    def _slope(self, dataset: xr.Dataset) -> Finding:
        found = self.once(_divided, dataset, self.options)
        line, trend, labels, shown = found.line, found.trend, found.model_sizes, found.runs
        fall = _no_sign_without_trend(line.interval(self.confidence), trend, self.confidence)
        first, last = shown[0], shown[-1]
        return Finding(
            effect=fall.estimate,
            low=fall.low,
            high=fall.high,
            unit="doublings by which the critical data size falls per doubling of parameters",
            seeds=found.seeds,
            evidence=(
                f"{first[0]} of {first[1]} runs generalize at size {labels[0]}, {last[0]} of {last[1]} "
                f"at size {labels[-1]}"
            ),
            details={
                "model_sizes": labels,
                "generalized": [one for one, _ in shown],
                "runs": [every for _, every in shown],
                "p_falls": trend.rising,
                "p_rises": trend.falling,
                "width": line.width,
            },
        )

    def _tau(self, dataset: xr.Dataset) -> Finding:
        taus, curve = self.once(_ordered, dataset, self.options)
        fall = _fall(taus, self.confidence)
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


@dataclass(frozen=True, eq=False)
class _Divided:
    """The line between runs that generalize and runs that do not, and the trend along model size."""

    line: DividingLine
    trend: Trend
    model_sizes: list[str]
    """Those with runs."""
    runs: list[tuple[int, int]]
    """How many runs of each size generalized, of how many."""
    seeds: int


def _divided(dataset: xr.Dataset, options: CriticalDataSizeOptions) -> _Divided:
    found = runs_that_generalize(dataset, options.threshold, options.part)
    trials, labels, shown = _trials(found)
    complete = bool(found["runs"].any("seed").all())
    _check_reach(trials, options.threshold, complete=complete)
    seeds = int(found["runs"].any(("model_size", "data_size")).sum())
    return _Divided(dividing_line(trials), _trend(trials), labels, shown, seeds)


def _ordered(dataset: xr.Dataset, options: CriticalDataSizeOptions) -> tuple[list[Tau], xr.Dataset]:
    """Each seed's tau, and the critical data size of each model size with runs."""
    brackets = critical_data_size_brackets(dataset, options.threshold, options.part)
    ends = zip(brackets["lower"].values.T, brackets["upper"].values.T, strict=True)
    taus = [tau for of_seed in ends if (tau := kendall_tau(*of_seed)) is not None]
    if not taus:
        raise NotEnoughDataError(
            "a fall needs finished runs at two model sizes with the same seed, one of whose "
            "critical data sizes lies within the grid; there is no such pair"
        )
    curve = critical_data_sizes(dataset, options.threshold, options.part)
    return taus, curve.dropna("model_size", subset=["low"])


def _trials(found: xr.Dataset) -> tuple[Trials, list[str], list[tuple[int, int]]]:
    """Runs as trials; the model sizes with runs; how many of their runs generalized, of how many."""
    runs, hits = (
        found[name].sum("seed").transpose("model_size", "data_size").to_numpy()
        for name in ("runs", "generalized")
    )
    sizes = log2_parameters(found)
    runs = np.where(np.isnan(sizes)[:, None], 0, runs)
    size, position = np.nonzero(runs)
    positions = np.log2(found["data_size"].to_numpy().astype(float))
    tried = np.flatnonzero(runs.any(axis=1))
    return (
        Trials(positions[position], sizes[size], runs[size, position], hits[size, position]),
        [str(found["model_size"].to_numpy()[one]) for one in tried],
        [(int(hits[one].sum()), int(runs[one].sum())) for one in tried],
    )


def _check_reach(trials: Trials, threshold: float, *, complete: bool) -> None:
    runs, hits = int(trials.trials.sum()), int(trials.successes.sum())
    if not runs:
        raise NotEnoughDataError("a slope needs finished runs, and there is none")
    largest = np.exp2([trials.positions.max(), trials.sizes.max()]).round().astype(int)
    if not hits:
        words = (
            f"none of the {runs} runs generalizes (accuracy {threshold:g}), although there are up to "
            f"{largest[0]} examples and models of up to {largest[1]} parameters"
        )
        if not complete:
            raise NotEnoughDataError(f"{words}; some cells have no finished run")
        raise OutOfReachError(
            f"{words}, so more seeds cannot test the claim: try more examples, larger models or more "
            "steps"
        )
    if hits == runs:
        raise NotEnoughDataError(
            f"all {runs} runs generalize, so that every critical data size lies below the grid: "
            "train with less data"
        )


def _trend(trials: Trials) -> Trend:
    """Whether larger models generalize more often with equal data."""
    return trend_test(trials.sizes, trials.positions, trials.trials, trials.successes)


def _no_sign_without_trend(fall: Interval, trend: Trend, confidence: float) -> Interval:
    """The interval, which includes zero unless the trend test rejects at the same error rate."""
    tail = (1 - confidence) / 2
    return Interval(
        fall.estimate,
        fall.low if trend.rising <= tail else min(fall.low, 0.0),
        fall.high if trend.falling <= tail else max(fall.high, 0.0),
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
