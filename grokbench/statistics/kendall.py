"""Kendall's tau for interval-censored values."""

from __future__ import annotations

import itertools

import numpy as np

from grokbench.statistics.intervals import Floats


def fall(lower: Floats, upper: Floats) -> tuple[float, int] | None:
    """Pairs known to fall minus pairs known to rise, over all pairs; and how many pairs.

    The ends of the brackets are [model_size], in order. A pair that both lie beyond the same end of
    the grid says nothing and is left out. None when no pair says anything.
    """
    known = ~np.isnan(lower)
    pairs = [
        (small, large)
        for small, large in itertools.combinations(zip(lower[known], upper[known], strict=True), 2)
        if max(small[0], large[0]) > 0 and not np.isinf(min(small[1], large[1]))
    ]
    if not pairs:
        return None
    falls = sum(bool(small[0] >= large[1]) for small, large in pairs)
    rises = sum(bool(large[0] >= small[1]) for small, large in pairs)
    return (falls - rises) / len(pairs), len(pairs)
