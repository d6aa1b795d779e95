"""Variance between seeds at each model size, and simulated runs that vary as much.

Accuracies lie between 0 and 1, so with mean m their variance is at most m (1 − m). The maximum is
reached if every run ends at 0 or at 1. What is estimated is the variance as a share of this
maximum. The share is pooled over neighbouring sizes, because a few seeds say little about their own
variance. A share keeps its meaning when the mean is moved, so the variance under another curve (the
null hypothesis of a test) is share · m (1 − m). Here m is always the mean after `add_half`, so the
maximum is never zero. Runs are simulated from beta distributions.

Assumption: the share varies slowly with model size, or a size that differs shows it in its own
runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grokbench.statistics.intervals import Floats

COMMON = 0.3
"""Weight of the average of all sizes in the share of each size; the neighbourhood has weight 1.
That the few seeds of a neighbourhood agree does not show that all seeds would."""

OWN = 0.75
"""A size's share is at least this part of its own estimate. Not the whole, because the variance of
few seeds may also come out too large. With 1 a shallow dip was found in 5.7 % of 1000 simulated
experiments without one, with 0.75 in 4.9 % of the same ones. With 0.5 the variance of sizes whose
runs vary much was underestimated too often."""

LEAST_SHARE = 1e-12
"""Share of runs that agree exactly: positive, so that a beta distribution exists."""

LARGEST_SHARE = 0.99
"""At a share of 1 the parameters of the beta distribution would be zero."""

RESAMPLES = 500
"""Simulated experiments for each distribution. Only 12 of them lie beyond the 2.5 % quantile and 6
beyond the 1.25 % quantile. Quantiles farther out are extrapolated by Student's t (`dip_depth`)."""


@dataclass(frozen=True)
class SeedVariance:
    """Variance of the runs of each size, as a share of m (1 − m), the largest variance with mean m.

    `share` and `seeds`, the number of runs, are [sizes], or [resamples, sizes].
    """

    share: Floats
    seeds: Floats

    @classmethod
    def of(cls, accuracy: Floats, *, noisiest: bool = False) -> SeedVariance:
        """Estimate from accuracies, [..., sizes, seeds], NaN where there is no run.

        With `noisiest` the share of each size is at least the largest ratio of all sizes: few seeds
        that agree at one size do not show that its runs vary less than those of another size.

        The share of a size is a ratio of averages, variances over largest variances, in its
        neighbourhood (weights 1-2-1) and, with weight `COMMON`, over all sizes. It is at least
        `OWN` times the size's own ratio, so that a size whose runs vary far more than those of its
        neighbours is noticed.
        """
        seeds = (~np.isnan(accuracy)).sum(axis=-1)
        mean = means(accuracy)
        own = np.nansum((accuracy - mean[..., None]) ** 2, axis=-1) / (seeds - 1)
        largest = _largest_variance(mean, seeds)
        # Variances and largest variances are averaged before they are divided: a single ratio is
        # unreliable where the largest variance is small.
        weight = COMMON * largest.mean(axis=-1, keepdims=True)
        common = own.sum(axis=-1, keepdims=True) / largest.sum(axis=-1, keepdims=True)
        share = np.maximum(
            (_neighbourhood(own) + weight * common) / (_neighbourhood(largest) + weight),
            OWN * own / largest,
        )
        if noisiest:
            share = np.maximum(share, (own / largest).max(axis=-1, keepdims=True))
        return cls(np.clip(share, LEAST_SHARE, LARGEST_SHARE), seeds)

    def variance(self, mean: Floats) -> Floats:
        """Variance of the mean over seeds at each size, for the true curve `mean`, [..., sizes]."""
        return self.share * _largest_variance(mean, self.seeds) / self.seeds

    def simulated(self, mean: Floats) -> Floats:
        """Experiments whose true curve is `mean`, [sizes]: [resamples, sizes, seeds], NaN: no run.

        A parametric bootstrap: runs come from the beta distribution with this mean (`add_half`) and
        variance. Each size has as many runs as it has in the data, in its first places. The wild
        bootstrap (Wu 1986), in the form that gives residuals random signs, was tried before. It
        simulates no variance at sizes whose runs agree.
        """
        mean = add_half(mean, self.seeds)
        # A beta distribution with parameters m k and (1 - m) k has variance m (1 - m) / (k + 1).
        concentration = 1 / self.share - 1
        runs = np.arange(self.seeds.max()) < self.seeds[:, None]
        parameters = (mean * concentration)[:, None], ((1 - mean) * concentration)[:, None]
        # The seed is fixed, so that the same data always give the same interval.
        draws = np.random.default_rng(0).beta(*parameters, (RESAMPLES, *runs.shape))
        return np.where(runs, draws, np.nan)


def means(accuracy: Floats) -> Floats:
    """Mean over the runs that exist: [..., sizes] from [..., sizes, seeds]."""
    known = ~np.isnan(accuracy)
    return np.asarray(np.where(known, accuracy, 0).sum(axis=-1) / known.sum(axis=-1))


def add_half(mean: Floats, seeds: Floats) -> Floats:
    """The mean with half a success and half a failure added (Krichevsky and Trofimov 1981).

    This mean is never 0 or 1: if all of eleven seeds generalize, the twelfth may not.
    """
    return np.asarray((np.clip(mean, 0, 1) * seeds + 0.5) / (seeds + 1))


def _largest_variance(mean: Floats, seeds: Floats) -> Floats:
    mean = add_half(mean, seeds)
    return mean * (1 - mean)


def _neighbourhood(values: Floats) -> Floats:
    """Average with both neighbours, weights 1-2-1; an end size is its own missing neighbour."""
    padded = np.concatenate([values[..., :1], values, values[..., -1:]], axis=-1)
    return np.asarray((padded[..., :-2] + 2 * values + padded[..., 2:]) / 4)
