"""An upper bound for a group's minimum, for the comparison of two minima, by a rank argument."""

from __future__ import annotations

import math

import numpy as np

from grokbench.statistics.intervals import Floats


def minimum_upper_bound(values: Floats, others: int, confidence: float) -> float:
    """What takes the place of a group's minimum when it is compared with another group's minimum.

    The minimum of few values may be low by chance. Suppose that the two groups have one
    distribution up to a shift. With the shift subtracted, every order of all N values is equally
    likely. The r smallest of all then belong to the first group with the hypergeometric probability
    C(N - r, others) / C(N, others). The bound is the r-th smallest value, for the smallest r whose
    probability is at most (1 - confidence)/2. Minus the other group's minimum, it is an upper
    confidence bound for the shift.

    If no r is that improbable, the bound is infinite: so few values support no bound of this
    confidence. n values against m lie in one order out of C(n + m, n), so three against three have
    a bound up to a one-sided confidence of 95 %, and three against eight up to 99.4 %.

    The bound does not hold for groups with different spreads: the bound of a group that spreads
    widely often lies below the minimum of a group that spreads little.

    Args:
        values: of the group, [n].
        others: how many values the other group has.
        confidence: of a two-sided interval of which the bound is one end.

    Returns:
        One of the values, or infinity.
    """
    # (1 - 0.9)/2 is a little less than 1/20 in floating point.
    tail, number = (1 - confidence) / 2 * (1 + 1e-9), len(values)
    orders = math.comb(number + others, others)
    for rank in range(1, number + 1):
        if math.comb(number + others - rank, others) / orders <= tail:
            return float(np.sort(values)[rank - 1])
    return math.inf
