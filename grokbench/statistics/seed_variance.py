"""How much runs of one model size vary from seed to seed, and runs drawn that vary as much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grokbench.statistics.intervals import Floats

COMMON = 0.3
"""How much all sizes' scatter counts in each size's, beside its neighbourhood's."""

OWN = 0.75
"""How much of a size's own scatter its share is at least. Few seeds seem to vary more than they do as
easily as less: with all of it 5.7 % of 1000 worlds without a shallow dip seemed to have one, with this 4.9 %."""

LEAST_SHARE = 1e-12
"""Of the largest variance that is possible: for runs that agree exactly."""

RESAMPLES = 500
"""How many curves are drawn to learn how deep a dip noise makes, and how much of one it hides."""


@dataclass(frozen=True)
class SeedVariance:
    """How much runs of each size vary: `share`, [..., sizes], of the most that their mean allows.

    Numbers between 0 and 1 with a mean of m have a variance of at most m (1 - m), as where every run
    generalizes or does not. `seeds` are [sizes].
    """

    share: Floats
    seeds: Floats

    @classmethod
    def of(cls, accuracy: Floats) -> SeedVariance:
        """The scatter over seeds ([..., sizes, seeds], NaN where there is no run).

        A few seeds say little of how much they vary, so each size's share is at least that of its
        neighbourhood (1-2-1), and in part of all sizes: that a few agree does not show that all do.
        But where runs of one size differ far more than their neighbours', most of that is believed.
        """
        seeds = (~np.isnan(accuracy)).sum(axis=-1)
        mean = means(accuracy)
        own = np.nansum((accuracy - mean[..., None]) ** 2, axis=-1) / (seeds - 1)
        most = _most(mean, seeds)
        shared = COMMON * most.mean(axis=-1, keepdims=True)
        common = own.sum(axis=-1, keepdims=True) / most.sum(axis=-1, keepdims=True)
        share = np.maximum(
            (_beside(own) + shared * common) / (_beside(most) + shared), OWN * own / most
        )
        return cls(np.clip(share, LEAST_SHARE, 0.99), seeds)

    def variance(self, level: Floats) -> Floats:
        """The variance of means, were `level` ([sizes]) the truth."""
        return self.share * _most(level, self.seeds) / self.seeds

    def drawn(self, level: Floats) -> Floats:
        """Experiments as they may be, were `level` so: [resamples, sizes, seeds], NaN without a run.

        Runs are drawn from the beta distribution of that mean and variance, as many of each size as
        there are, whichever seeds' they were.
        """
        level, alike = credible(level, self.seeds), 1 / self.share - 1
        runs = np.arange(self.seeds.max()) < self.seeds[:, None]
        ends = (level * alike)[:, None], ((1 - level) * alike)[:, None]
        return np.where(
            runs, np.random.default_rng(0).beta(*ends, (RESAMPLES, *runs.shape)), np.nan
        )


def means(accuracy: Floats) -> Floats:
    """The mean over seeds, the last axis, of what runs there are."""
    known = ~np.isnan(accuracy)
    return np.asarray(np.where(known, accuracy, 0).sum(axis=-1) / known.sum(axis=-1))


def credible(level: Floats, seeds: Floats) -> Floats:
    """Of eleven seeds that all generalize, the twelfth may not (Krichevsky and Trofimov 1981)."""
    return np.asarray((np.clip(level, 0, 1) * seeds + 0.5) / (seeds + 1))


def _most(level: Floats, seeds: Floats) -> Floats:
    mean = credible(level, seeds)
    return mean * (1 - mean)


def _beside(values: Floats) -> Floats:
    """Each size's average with its neighbours, 1-2-1; itself where it has none."""
    padded = np.concatenate([values[..., :1], values, values[..., -1:]], axis=-1)
    return np.asarray((padded[..., :-2] + 2 * values + padded[..., 2:]) / 4)
