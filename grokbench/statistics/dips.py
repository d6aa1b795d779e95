"""Dips of a curve of mean accuracy along model size: the groups that form them, and the deepest.

A dip consists of three groups of neighbouring sizes: a peak, after it a bottom, after that a
recovery. The first leg is the fall: mean of the peak minus mean of the bottom. The second leg is
the rise: mean of the recovery minus mean of the bottom. The depth of a dip is its smaller leg,
because accuracy must both fall and rise. The depth of a curve is that of its deepest dip. The depth
is zero or negative where the curve only rises, only falls, or rises and then falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from grokbench.statistics.intervals import Floats

Indices = npt.NDArray[np.intp]

ROUNDING = 1e-6
"""Added to the standard error of each leg, so that a quotient is finite where all seeds agree.
Accuracies are stored as float32, whose rounding error near 1 is smaller (3e-8)."""


@dataclass(frozen=True)
class MeanCurve:
    """Mean final accuracy along model size, and the variances of those means.

    Both are [sizes], or [resamples, sizes] for many curves.
    """

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class Groups:
    """Groups of neighbouring sizes: group g holds sizes `start[g]` up to, without, `end[g]`."""

    start: Indices
    end: Indices

    @classmethod
    def of(cls, sizes: int, shortest: int, longest: int) -> Groups:
        """All groups of `shortest` to `longest` neighbours among `sizes` sizes."""
        pairs = [
            (start, start + length)
            for start in range(sizes)
            for length in range(shortest, longest + 1)
            if start + length <= sizes
        ]
        return cls(*np.array(pairs, np.intp).reshape(-1, 2).T)

    @property
    def shortest(self) -> int:
        return int((self.end - self.start).min())

    def over(self, curve: MeanCurve) -> MeanCurve:
        """The mean over each group and its variance: [..., groups] in place of [..., sizes].

        Sizes are independent, so the variance of their mean is the sum of their variances, divided
        by length².
        """
        length = self.end - self.start
        return MeanCurve(self._sums(curve.mean) / length, self._sums(curve.variance) / length**2)

    def _sums(self, values: Floats) -> Floats:
        # A sum over neighbours is a difference of two cumulative sums.
        zero = np.zeros((*values.shape[:-1], 1))
        up_to = np.concatenate([zero, np.cumsum(values, axis=-1)], axis=-1)
        return np.asarray(up_to[..., self.end] - up_to[..., self.start])

    @cached_property
    def dips(self) -> tuple[tuple[int, Indices, Indices], ...]:
        """Each group that can be a bottom, with the groups wholly before it and wholly after it."""
        sides = (
            (bottom, np.flatnonzero(self.end <= start), np.flatnonzero(self.start >= end))
            for bottom, (start, end) in enumerate(zip(self.start, self.end, strict=True))
        )
        return tuple(dip for dip in sides if dip[1].size and dip[2].size)


# The two scores are inverse to each other. Both grow with the leg, so the deepest dip scored by
# `reduced_by(c)` is d exactly where the deepest dip scored by `excess_over(d)` is c. `excess_over`
# gives the test statistic for a depth d, `reduced_by` solves the test's equation for d.

LegScore = Callable[[Floats, Floats], Floats]
"""The score of legs from their lengths and standard errors, two arrays of one shape."""


def reduced_by(errors: float) -> LegScore:
    """Length of a leg minus a number of its standard errors."""
    return lambda leg, error: leg - errors * error


def excess_over(depth: float) -> LegScore:
    """Excess of a leg over `depth`, in its standard errors."""
    return lambda leg, error: (leg - depth) / error


def deepest(curve: MeanCurve, groups: Groups, score: LegScore) -> Floats:
    """The largest score of all dips of each curve, [...].

    The score of a dip is the smaller score of its two legs. The largest is a max-type statistic:
    its quantiles hold for all dips simultaneously.
    """
    over = groups.over(curve)
    # For one bottom the best peak and the best recovery are chosen independently of each other, so
    # pairs of groups are enough, and no triple is enumerated.
    depths = [
        np.minimum(
            _leg_scores(over, before, bottom, score).max(axis=-1),
            _leg_scores(over, after, bottom, score).max(axis=-1),
        )
        for bottom, before, after in groups.dips
    ]
    return np.asarray(np.max(depths, axis=0))


def deepest_place(curve: MeanCurve, groups: Groups, score: LegScore) -> tuple[int, int, int]:
    """Which groups are peak, bottom and recovery of the dip with the largest score."""
    over, best, deep = groups.over(curve), (0, 0, 0), -np.inf
    for bottom, before, after in groups.dips:
        falls, rises = (_leg_scores(over, side, bottom, score) for side in (before, after))
        if min(falls.max(), rises.max()) > deep:
            deep = min(falls.max(), rises.max())
            best = int(before[falls.argmax()]), bottom, int(after[rises.argmax()])
    return best


def exact_depth(means: Floats, groups: Groups) -> float:
    """Depth of the deepest dip of a curve, [sizes], that is known without error."""
    return float(deepest(MeanCurve(means, np.zeros_like(means)), groups, reduced_by(0)))


def _leg_scores(over: MeanCurve, side: Indices, bottom: int, score: LegScore) -> Floats:
    leg = over.mean[..., side] - over.mean[..., [bottom]]
    variance = over.variance[..., side] + over.variance[..., [bottom]]
    return score(leg, np.sqrt(variance) + ROUNDING)
