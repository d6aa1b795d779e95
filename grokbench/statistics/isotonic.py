"""Isotonic regression by the max–min formula, where a band of values costs nothing.

Isotonic regression fits the curve that is nearest to the data among all curves that never fall.
Here the data may lie anywhere in a band below the curve at no cost: with levels u, values x and
weights w, the cost is the sum of w · distance(x, [u − band, u])². The max–min formula gives the fit
from the best common level of each block of neighbours (Robertson, Wright and Dykstra 1988, "Order
Restricted Statistical Inference").

`scipy.optimize.isotonic_regression` fits weighted least squares only. That is a band of zero.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.intervals import Floats

HALVINGS = 40
"""Bisection steps. They leave 2⁻⁴⁰ of the first interval, about 10⁻¹² of its length. That is finer
than the float32 in which accuracies are stored."""


def block_levels(values: Floats, weights: Floats, band: float) -> Floats:
    """The cheapest common level u of each block of neighbours: [first, last], where first ≤ last.

    Args:
        values: [sizes].
        weights: inverse variances of the values, [sizes].
        band: how far below the level a value may lie at no cost.
    """
    places = np.arange(len(values))
    first, last = places[:, None, None], places[:, None]
    within = np.where((first <= places) & (places <= last), weights, 0.0)
    low = np.full(within.shape[:2], values.min())
    high = np.full(within.shape[:2], values.max() + band)
    for _ in range(HALVINGS):
        # Half of the cost's derivative. It never falls with the level, so its sign says on which
        # side the root is. Of equally cheap levels the lowest is found.
        level = (low + high) / 2
        over, under = level[..., None] - band - values, values - level[..., None]
        slope = (within * (np.maximum(over, 0) - np.maximum(under, 0))).sum(axis=-1)
        low, high = np.where(slope < 0, level, low), np.where(slope < 0, high, level)
    return np.asarray((low + high) / 2)


def isotonic(levels: Floats) -> Floats:
    """The fit that never falls, [sizes], from the levels of all blocks, [first, last].

    The max–min formula:
    fit[j] = max over first ≤ j of (min over last ≥ j of levels[first, last]).
    """
    sizes = len(levels)
    if sizes == 0:
        return np.empty(0)
    no_block = np.tri(sizes, k=-1, dtype=bool)  # first > last
    known = np.where(no_block, np.inf, levels)
    least = np.minimum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(no_block, -np.inf, least).max(axis=0))
