"""Kendall's tau for values that are only known to lie in intervals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from grokbench.statistics.intervals import Floats


@dataclass(frozen=True)
class Tau:
    """Kendall's tau: 1 where every value exceeds the one before, -1 where each is smaller."""

    value: float
    pairs: int
    """How many pairs of values were compared."""


def kendall_tau(lower: Floats, upper: Floats) -> Tau | None:
    """Kendall's tau between the order of values and the values, which are interval-censored.

    Pairs known to rise minus pairs known to fall, over all pairs compared. A pair whose intervals
    overlap counts as neither (as in Oakes 1982, Biometrics 38, 451–455, for censored values).
    A pair is not compared if both values are censored at the same end: the intervals of such a pair
    always overlap.

    Args:
        lower: largest value known to be too small, [values]; 0 where the value is left-censored,
            NaN where nothing is known.
        upper: smallest value known to be large enough, [values]; infinite where the value is
            right-censored.

    Returns:
        None where no pair can be compared.
    """
    known = ~np.isnan(lower)
    brackets = zip(lower[known], upper[known], strict=True)
    pairs = [
        (first, second)
        for first, second in itertools.combinations(brackets, 2)
        if max(first[0], second[0]) > 0 and not np.isinf(min(first[1], second[1]))
    ]
    if not pairs:
        return None
    rising = sum(bool(second[0] >= first[1]) for first, second in pairs)
    falling = sum(bool(first[0] >= second[1]) for first, second in pairs)
    return Tau((rising - falling) / len(pairs), len(pairs))
