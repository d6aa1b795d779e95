"""Means of groups of bounded values, and intervals of their differences.

A group is, for example, one model size with one final accuracy for each run. The mean of several groups
gives each group equal weight, whatever its number of values. The interval of a difference joins the
one-sided confidence distributions of both means (`grokbench.statistics.melding`, with the sources and with
what is proven). Each end misses the true difference at most as often as half of 1 − confidence says, also at
confidences of 0.999, also where the values of a group are all alike or lie at 0 and 1 only.

Five values of 1 do not show that every value is 1: each distribution contains one more value, at the
worst end. An interval therefore never has width zero, and is wider at every higher confidence.

Assumptions: all values are independent and lie between 0 and 1. Groups may have different distributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval
from grokbench.statistics.melding import bound, lower_distribution, lower_of_sum


@dataclass(frozen=True)
class BoundedMean:
    """The mean over groups of each group's mean.

    `values` are between 0 and 1, [groups, n]; NaN where a group has fewer values. Every group has a value.
    """

    values: Floats

    @property
    def estimate(self) -> float:
        # Sorted, so that no order of the values changes the last bit.
        return float(np.nanmean(np.sort(self.values, axis=1), axis=1).mean())

    @cached_property
    def lower(self) -> Floats:
        """The lower confidence distribution: at t the p-value of "the mean is at most t"."""
        return lower_distribution(*self._weighted)

    @cached_property
    def lower_of_rest(self) -> Floats:
        """The lower confidence distribution of 1 minus the mean."""
        values, weights = self._weighted
        return lower_distribution(1 - values, weights)

    @property
    def _weighted(self) -> tuple[Floats, Floats]:
        """All values of all groups, and the weight of each: groups have equal weights."""
        known = ~np.isnan(self.values)
        weights = np.broadcast_to(1 / known.sum(axis=1, keepdims=True), known.shape)
        # An accuracy is a share of examples, which float32 may round beyond 1.
        return np.clip(self.values[known], 0.0, 1.0), weights[known]


def difference_interval(
    first: BoundedMean, second: BoundedMean, confidence: float = CONFIDENCE
) -> Interval:
    """First mean minus second mean, with its two-sided interval; the ends lie between −1 and 1.

    Args:
        first, second: means of independent values.
        confidence: of the interval, between 0 and 1. Each end has a tail of (1 − confidence)/2.
    """
    difference, tail = first.estimate - second.estimate, (1 - confidence) / 2
    low = bound(lower_of_sum(first.lower, second.lower_of_rest), tail, -1.0)
    high = -bound(lower_of_sum(second.lower, first.lower_of_rest), tail, -1.0)
    # At a confidence of 0.1, say, rounding may put an end on the wrong side of the difference.
    return Interval(difference, min(low, difference), max(high, difference))
