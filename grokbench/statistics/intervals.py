"""Intervals over seeds: Student's t for means, Clopper and Pearson's for shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from grokbench.errors import NotEnoughDataError

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided interval."""

    estimate: float
    low: float
    high: float

    def widened(self, factor: float) -> Interval:
        """The interval so many times as wide, about the same estimate."""
        return Interval(
            self.estimate,
            self.estimate - factor * (self.estimate - self.low),
            self.estimate + factor * (self.high - self.estimate),
        )


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values, one a seed (float [seeds], all finite).

    Raises:
        NotEnoughDataError: fewer than two values have no spread to learn from.
    """
    seeds = len(values)
    if seeds < 2:
        raise NotEnoughDataError(f"an interval over seeds needs at least 2 of them, not {seeds}")
    mean = float(np.mean(values))
    half = _quantile(seeds - 1, confidence) * float(np.std(values, ddof=1)) / math.sqrt(seeds)
    return Interval(mean, mean - half, mean + half)


def welch_interval(first: Floats, second: Floats, confidence: float = CONFIDENCE) -> Interval:
    """mean(first) - mean(second) for two independent groups of unequal spread (Welch 1947).

    Raises:
        NotEnoughDataError: a group with fewer than two values.
    """
    if min(len(first), len(second)) < 2:
        raise NotEnoughDataError(
            "comparing two experiments needs at least 2 seeds in each, "
            f"not {len(first)} and {len(second)}"
        )
    difference = float(np.mean(first) - np.mean(second))
    errors = [float(np.var(group, ddof=1)) / len(group) for group in (first, second)]
    total = sum(errors)
    if total == 0:
        return Interval(difference, difference, difference)
    freedom = 1 / sum(
        (error / total) ** 2 / (len(group) - 1)
        for error, group in zip(errors, (first, second), strict=True)
    )
    half = _quantile(freedom, confidence) * math.sqrt(total)
    return Interval(difference, difference - half, difference + half)


def share_interval(share: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """A share of independent trials (Clopper and Pearson 1934): 5 of 5 is 0.48 to 1, never 1 to 1.

    It errs no more often than it says at any confidence and any share. Trials may count in part.
    """
    if trials < 1:
        raise NotEnoughDataError("a share of no trials has no interval")
    tail, hits = (1 - confidence) / 2, share * trials
    low = stats.beta.ppf(tail, hits, trials - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    return Interval(share, min(share, float(low)), max(share, float(high)))


def _quantile(freedom: float, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom))
