"""The smallest amount of data from which models generalize, and how it falls with model size."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.curves import (
    canonical,
    generalization_accuracy,
    of_part,
    reaches,
    settled,
    single_curve,
)
from grokbench.phenomena.dynamics import Share
from grokbench.phenomena.intervals import Floats, Interval, t_interval

THRESHOLD = 0.9


def critical_data_size_brackets(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """Between which two data sizes each seed's critical data size lies.

    The critical data size is the smallest from which final mirror-free accuracy reaches the
    threshold there and at every larger size tried.

    Args:
        dataset: an experiment's dataset; one value of each swept field.
        threshold: the accuracy that counts as generalized.
        part: which part of the task; the first unless said otherwise.

    Returns:
        Over `model_size` and `seed`: `lower` and `upper`, the largest data size known to be too
        small and the smallest known to be enough. `lower` is 0 where all were enough, `upper`
        infinite where the largest was not; both are NaN without a finished run.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "data_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.transpose("model_size", "seed", "data_size")
    sizes = data["data_size"].to_numpy().astype(float)
    values = accuracy.to_numpy()
    known = ~np.isnan(values)
    failed = known & ~reaches(values, threshold)
    lower = np.where(failed, sizes, 0.0).max(axis=-1)
    enough = known & (sizes > lower[..., None])
    upper = np.where(enough, sizes, np.inf).min(axis=-1)
    unknown = ~known.any(axis=-1)
    over = ("model_size", "seed")
    return xr.Dataset(
        {
            "lower": (over, np.where(unknown, np.nan, lower), {"units": "examples"}),
            "upper": (over, np.where(unknown, np.nan, upper), {"units": "examples"}),
        },
        {name: accuracy[name] for name in accuracy.coords if name != "data_size"},
    )


def critical_data_sizes(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """The critical data size of each model size: where the median seed's lies.

    Args and errors as in `critical_data_size_brackets`.

    Returns:
        Along `model_size`, in order of `parameters`: `low` and `high` (examples, the medians over
        seeds of the brackets' ends), `estimate` (their geometric mean, NaN where censored),
        `left_censored` (the smallest data size tried was enough: `low` is 0), `right_censored`
        (the largest was not: `high` is infinite).
    """
    brackets = critical_data_size_brackets(dataset, threshold, part)
    low = np.array([_medians(row)[0] for row in brackets["lower"].to_numpy()])
    high = np.array([_medians(row)[1] for row in brackets["upper"].to_numpy()])
    left, right = low == 0, np.isinf(high)
    estimate = np.full(len(low), np.nan)
    inside = ~left & ~right & ~np.isnan(low)
    estimate[inside] = np.sqrt(low[inside] * high[inside])
    along = ("model_size",)
    return xr.Dataset(
        {
            "estimate": (along, estimate, {"units": "examples"}),
            "low": (along, low, {"units": "examples"}),
            "high": (along, high, {"units": "examples"}),
            "left_censored": (along, left),
            "right_censored": (along, right),
        },
        brackets.drop_vars("seed").coords,
    )


def _medians(values: Floats) -> tuple[float, float]:
    """The lower and the upper median, which stay on the grid and never average with infinity."""
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return np.nan, np.nan
    return float(known[(known.size - 1) // 2]), float(known[known.size // 2])


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


def fall(lower: Floats, upper: Floats) -> tuple[float, int] | None:
    """Pairs known to fall minus pairs known to rise, over all pairs; and how many pairs.

    The ends of the brackets are [model_size], in order. A pair that both lie beyond the same end of
    the grid says nothing and is left out. None when no pair says anything.
    """
    known = ~np.isnan(lower)
    pairs = [
        (small, large)
        for small, large in itertools.combinations(zip(lower[known], upper[known], strict=True), 2)
        if max(small[0], large[0]) > 0 and not np.isinf(min(small[1], large[1]))
    ]
    if not pairs:
        return None
    falls = sum(bool(small[0] >= large[1]) for small, large in pairs)
    rises = sum(bool(large[0] >= small[1]) for small, large in pairs)
    return (falls - rises) / len(pairs), len(pairs)


def _doublings(small: xr.DataArray, large: xr.DataArray) -> float:
    """log2(small / large): how far the critical data size falls between two bounds."""
    with np.errstate(divide="ignore"):
        return float(np.log2(float(small)) - np.log2(float(large)))


def _words(size: xr.Dataset) -> str:
    low, high = float(size["low"]), float(size["high"])
    if low == 0:
        return f"at most {high:g}"
    return f"above {low:g}" if np.isinf(high) else f"between {low:g} and {high:g}"
