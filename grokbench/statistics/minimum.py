"""Upper confidence bound of a group's minimum, by a rank argument."""

from __future__ import annotations

import math

import numpy as np

from grokbench.statistics.intervals import Floats


def luckiest(values: Floats, others: int, confidence: float) -> float:
    """How large the smallest of some values may have to be taken for, had luck favoured them.

    Were they of one kind with as many `others`, the smallest r of all would be among them with the
    probability C(N - r, others) / C(N, others). The first r that is as improbable as an end of the
    interval may be is taken; where none is, the largest value. With three seeds against three that
    is the end of a one-sided interval of 0.95, and no surer one can be had.

    Args:
        values: log2 of the parameters at which each seed has the ability.
        others: how many seeds they are compared with, at the size with the fewest runs.
        confidence: of the two-sided interval.
    """
    tail, number = (1 - confidence) / 2, len(values)
    orders = math.comb(number + others, others)
    for rank in range(1, number):
        if math.comb(number + others - rank, others) / orders <= tail:
            return float(np.sort(values)[rank - 1])
    return float(values.max())
