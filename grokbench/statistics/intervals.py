"""Confidence intervals over seeds: Student's t for means, Clopper–Pearson for shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from grokbench.errors import NotEnoughDataError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
"""The confidence of every interval, unless a caller asks for another."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided confidence interval."""

    estimate: float
    low: float
    high: float


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values with Student's t interval.

    Args:
        values: one finite value for each seed, [seeds].
        confidence: of the two-sided interval, between 0 and 1.

    Raises:
        NotEnoughDataError: fewer than two values, from which no variance can be estimated.
    """
    seeds = len(values)
    if seeds < 2:
        raise NotEnoughDataError(f"an interval over seeds needs at least 2 of them, not {seeds}")
    mean = float(np.mean(values))
    half = t_quantile(seeds - 1, confidence) * float(np.std(values, ddof=1)) / math.sqrt(seeds)
    return Interval(mean, mean - half, mean + half)


def welch_interval(first: Floats, second: Floats, confidence: float = CONFIDENCE) -> Interval:
    """mean(first) - mean(second) for two independent groups with unequal variances.

    Where neither group has any spread, the interval is the point. This is a convention: the formula
    is undefined there.
    Source: Welch 1947, Biometrika 34, 28–35; degrees of freedom by Satterthwaite 1946, Biometrics
    Bulletin 2, 110–114.

    Args:
        first, second: one finite value for each seed, [seeds].
        confidence: of the two-sided interval, between 0 and 1.

    Raises:
        NotEnoughDataError: a group with fewer than two values.
    """
    if min(len(first), len(second)) < 2:
        raise NotEnoughDataError(
            "comparing two experiments needs at least 2 seeds in each, "
            f"not {len(first)} and {len(second)}"
        )
    difference = float(np.mean(first) - np.mean(second))
    # The squared standard error of each mean, s² / n.
    errors = [float(np.var(group, ddof=1)) / len(group) for group in (first, second)]
    total = sum(errors)
    if total == 0:
        return Interval(difference, difference, difference)
    # Welch–Satterthwaite: (e₁ + e₂)² / Σ [eᵢ² / (nᵢ - 1)], divided through by (e₁ + e₂)².
    freedom = 1 / sum(
        (error / total) ** 2 / (len(group) - 1)
        for error, group in zip(errors, (first, second), strict=True)
    )
    half = t_quantile(freedom, confidence) * math.sqrt(total)
    return Interval(difference, difference - half, difference + half)


def share_interval(share: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """A share of independent trials with the exact interval of Clopper and Pearson.

    With whole successes the interval misses the true share at most as often as the confidence
    allows, for every share and every confidence. 5 successes in 5 trials give 0.48 to 1.
    Source: Clopper and Pearson 1934, Biometrika 26, 404–413. They did not treat a count of successes
    that is not whole: that is an extension without a proof.

    Args:
        share: successes divided by trials. A trial may succeed in part, so `share * trials` need
            not be a whole number.
        trials: how many there were.
        confidence: of the two-sided interval, between 0 and 1.

    Raises:
        NotEnoughDataError: no trials.
    """
    if trials < 1:
        raise NotEnoughDataError("a share of no trials has no interval")
    tail, hits = (1 - confidence) / 2, share * trials
    # P(at least k of n successes) is a beta distribution function of the share, so the ends are beta
    # quantiles. They are defined for parts of successes as well.
    low = stats.beta.ppf(tail, hits, trials - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    # min and max guard against rounding only.
    return Interval(share, min(share, float(low)), max(share, float(high)))


def t_quantile(freedom: float, confidence: float) -> float:
    """How many standard errors a two-sided Student's t interval reaches to each side."""
    return float(stats.t.ppf((1 + confidence) / 2, freedom))


def at_least_apart(values: Floats, step: float) -> Floats:
    """The values of the seeds, or as many that agree but for one, which differs by `step`.

    Those with the larger spread: seeds that agree do not show that the next one does.
    """
    apart = np.full_like(values, values.mean())
    apart[0] += step
    return values if values.std() > apart.std() else apart
