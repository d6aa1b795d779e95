"""Depth of a dip whose peak, bottom and recovery are declared beforehand.

Each of the three places is a list of model sizes. The legs of the dip are the fall, mean of the peak minus
mean of the bottom, and the rise, mean of the recovery minus mean of the bottom; a mean is over the sizes of
a place, each with equal weight. The depth is the smaller leg. Since the places are declared, nothing is
searched for, and no end of the interval corrects for a search.

Each leg has two melded confidence distributions (`melding`), from which p-values for every depth d follow:

| tested is | which says | p-value |
| --- | --- | --- |
| "the depth is at most d" | fall at most d, or rise at most d | the larger of the two legs' |
| "the depth is at least d" | fall at least d, and rise at least d | twice the smaller, but no more than the larger |

Each end of the interval is where a p-value reaches half of 1 − confidence.

*The lower end needs no correction for two legs.* If the depth is at most d, one leg is at most d. The larger
p-value is at most the tail only if that leg's p-value is, which happens no more often than the tail says
(the intersection–union test, Berger 1982, Technometrics 24, 295–300).

*The upper end needs a correction.* That one leg's upper bound lies below the depth is an error of the upper
end already, so the smaller of two upper bounds at the full tail errs up to twice as often as the tail says
(where fall and rise are equally long). If the depth is at least d, both legs are at least d, and the p-values of both
legs are valid. Twice the smaller is Bonferroni's test. "No more than the larger" makes it Simes' test (1986,
Biometrika 73, 751–754), which holds where high p-values of one leg go with high p-values of the other (Sarkar
1998, Annals of Statistics 26, 494–504). Here they do: both legs have the same bottom, and otherwise different
runs. Simes' test matters where all of a curve is near-perfect: there the bottom alone shows that both
legs are short.

A run kind that no seed shows is allowed for by the value that Gaffke's distribution adds to every place. For a
peak at 1 and n runs at the bottom that all end at 1, the upper end is that of Clopper and Pearson after none of
n runs failed: 5 seeds at 3 sizes leave room for 22 % of failing runs at a tail of 2.5 %.

Assumptions: all runs are independent, also runs of one seed at different sizes; accuracies lie between 0 and
1. Nothing is assumed about their distribution or about the curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grokbench.statistics.bounded_means import BoundedMean
from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval
from grokbench.statistics.melding import STEPS, bound, lower_of_sum


@dataclass(frozen=True)
class Depths:
    """What data say about a depth: p-values for the depths −1 to 1, in steps of 1/STEPS.

    `at_most` grows with the depth, and is the p-value of "the depth is at most d"; `at_least` falls. Both are
    [2 · STEPS + 1].
    """

    estimate: float
    at_most: Floats
    at_least: Floats

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """The estimate and its two-sided interval, whose ends lie between −1 and 1."""
        return _interval(self.estimate, self.at_most, self.at_least, confidence)

    def or_zero(self) -> Depths:
        """The larger of the depth and zero."""
        at_most, at_least = self.at_most.copy(), self.at_least.copy()
        # The larger of a depth and zero is never below zero, and at least zero for certain.
        at_most[:STEPS], at_least[: STEPS + 1] = 0.0, 1.0
        return Depths(max(self.estimate, 0.0), at_most, at_least)

    def less(self, other: Depths, confidence: float = CONFIDENCE) -> Interval:
        """Interval of this depth minus that of an independent experiment, melded like two means."""
        return _interval(
            self.estimate - other.estimate,
            lower_of_sum(self.at_most, other.at_least[::-1]),
            lower_of_sum(self.at_least[::-1], other.at_most)[::-1],
            confidence,
        )


def _interval(estimate: float, at_most: Floats, at_least: Floats, confidence: float) -> Interval:
    """The interval of a quantity tabulated symmetrically about zero."""
    tail, start = (1 - confidence) / 2, -(len(at_most) // 2) / STEPS
    low, high = bound(at_most, tail, start), -bound(at_least[::-1], tail, start)
    # At low confidences rounding may put an end on the wrong side of the estimate.
    return Interval(estimate, min(low, estimate), max(high, estimate))


@dataclass(frozen=True)
class DipAtPlaces:
    """A dip at declared places: the accuracies of the runs of each, [sizes, seeds], NaN: no run.

    Every size has a run.
    """

    peak: Floats
    bottom: Floats
    recovery: Floats

    @property
    def legs(self) -> tuple[float, float]:
        """Fall of the mean from the peak to the bottom, and rise to the recovery."""
        peak, bottom, recovery = (mean.estimate for mean in self._means)
        return peak - bottom, recovery - bottom

    @property
    def seeds(self) -> int:
        """Number of runs of the size with the fewest."""
        places = (self.peak, self.bottom, self.recovery)
        return int(min((~np.isnan(place)).sum(axis=1).min() for place in places))

    @cached_property
    def depths(self) -> Depths:
        """The depth, the smaller leg, with its p-values."""
        return depth_between(*self._means)

    @cached_property
    def _means(self) -> tuple[BoundedMean, BoundedMean, BoundedMean]:
        return BoundedMean(self.peak), BoundedMean(self.bottom), BoundedMean(self.recovery)


def depth_between(peak: BoundedMean, bottom: BoundedMean, recovery: BoundedMean) -> Depths:
    """The depth of the dip between three independent means, with its p-values."""
    fall, rise = _difference(peak, bottom), _difference(recovery, bottom)
    return Depths(
        min(fall.estimate, rise.estimate),
        np.maximum(fall.at_most, rise.at_most),
        np.minimum(
            2 * np.minimum(fall.at_least, rise.at_least),
            np.maximum(fall.at_least, rise.at_least),
        ),
    )


def _difference(first: BoundedMean, second: BoundedMean) -> Depths:
    return Depths(
        first.estimate - second.estimate,
        lower_of_sum(first.lower, second.lower_of_rest),
        lower_of_sum(first.lower_of_rest, second.lower)[::-1],
    )
