"""The curve nearest to the observed means that dips by at most a depth, and by at least a depth.

Each is a restricted estimate: the curve that fits the means best of all curves for which a null hypothesis
is true. The fit is weighted least squares, with the inverse variances of the means as weights. Tests of
that hypothesis simulate experiments under this curve.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.dips import ROUNDING, Groups, MeanCurve, exact_depth
from grokbench.statistics.intervals import Floats
from grokbench.statistics.isotonic import block_levels, isotonic

WIDTH_HALVINGS = 8
"""Bisection steps for the depth of single sizes at which groups of sizes dip by just the depth asked for:
to within 1/256 of the curve's range. Each step fits a curve, so steps cost."""


def nearest_without_dip(curve: MeanCurve, groups: Groups, depth: float) -> Floats:
    """The nearest curve, [sizes], whose dips of `groups` are at most `depth` deep.

    The nearest one where groups of a single size count. Where only wider groups count, the fit is
    the nearest curve whose single sizes dip by at most d, for the largest d that keeps dips of
    `groups` within `depth`. That fit keeps the bound, but nearer curves can exist.
    """
    low, high = depth, float(np.ptp(curve.mean))
    if groups.shortest == 1 or high <= low:
        return _without_dip_of_single_sizes(curve, depth)
    if exact_depth(curve.mean, groups) <= depth:
        return curve.mean
    for _ in range(WIDTH_HALVINGS):
        between = (low + high) / 2
        deeper = exact_depth(_without_dip_of_single_sizes(curve, between), groups) > depth
        low, high = (low, between) if deeper else (between, high)
    return _without_dip_of_single_sizes(curve, low)


def _without_dip_of_single_sizes(curve: MeanCurve, depth: float) -> Floats:
    """The nearest curve no single size of which dips by more than `depth`: a unimodal regression.

    Such a curve c lies between u − depth and u for some curve u that rises up to a split and falls from
    there. (If c has no deeper dip, u[j] = min(max of c up to j, max of c from j on) is such a curve. If u
    exists, the smaller of two sides of c is at most u[j], so at most depth above c[j].) So u is fitted
    for every split, by isotonic regression on either side, and the nearest of all fits is taken.
    """
    # With the variance of rounding, weights are finite where all seeds agree.
    sizes, weights = len(curve.mean), 1 / (curve.variance + ROUNDING**2)
    levels = block_levels(curve.mean, weights, depth)
    fits = []
    for split in range(sizes + 1):
        rising = isotonic(levels[:split, :split])
        # A falling curve rises when it is read backwards.
        falling = isotonic(levels[split:, split:].T[::-1, ::-1])[::-1]
        above = np.concatenate([rising, falling])
        fits.append(np.clip(curve.mean, above - depth, above))
    costs = [(weights * (fit - curve.mean) ** 2).sum() for fit in fits]
    return fits[int(np.argmin(costs))]


def nearest_with_dip(curve: MeanCurve, groups: Groups, depth: float) -> Floats:
    """The nearest curve, [sizes], with a dip of `groups` that is at least `depth` deep.

    For one dip this is quadratic programming: the three group means move as little as possible, in their
    variances, subject to peak − bottom ≥ depth and recovery − bottom ≥ depth. The solution has one
    Lagrange multiplier a leg. The cheapest of all dips is taken.
    """
    over = groups.over(curve)
    variance = over.variance + ROUNDING**2
    best, least = np.zeros(len(groups.start)), np.inf
    for bottom, before, after in groups.dips:
        shortfall = np.maximum(depth - over.mean + over.mean[bottom], 0)
        short_fall, short_rise = shortfall[before][:, None], shortfall[after]
        fall, rise = _multipliers(
            short_fall, short_rise, variance[before][:, None], variance[after], variance[bottom]
        )
        # At the optimum the cost is the sum of multiplier × shortfall: [peaks, recoveries].
        costs = fall * short_fall + rise * short_rise
        cheapest = np.unravel_index(costs.argmin(), costs.shape)
        if costs[cheapest] < least:
            least, best = costs[cheapest], np.zeros(len(groups.start))
            best[before[cheapest[0]]] = fall[cheapest]
            best[after[cheapest[1]]] = rise[cheapest]
            best[bottom] = -fall[cheapest] - rise[cheapest]
    moved = curve.mean.copy()
    for group in np.flatnonzero(best):
        # A group's mean moves by multiplier × variance, and all its sizes move alike.
        moved[groups.start[group] : groups.end[group]] += best[group] * variance[group]
    return moved


def _multipliers(
    fall: Floats, rise: Floats, peak: Floats, recovery: Floats, bottom: float
) -> tuple[Floats, Floats]:
    """Lagrange multipliers of the two legs, from their shortfalls and the variances of the means.

    With both constraints active they solve
        (peak + bottom) · falling + bottom · rising = fall
        bottom · falling + (recovery + bottom) · rising = rise.
    A negative multiplier means that this leg is long enough once the other is; it becomes zero, and the
    other leg is solved for alone (Karush–Kuhn–Tucker conditions).
    """
    determinant = (peak + bottom) * (recovery + bottom) - bottom**2
    falling = ((recovery + bottom) * fall - bottom * rise) / determinant
    rising = ((peak + bottom) * rise - bottom * fall) / determinant
    return (
        np.where(falling < 0, 0, np.where(rising < 0, fall / (peak + bottom), falling)),
        np.where(rising < 0, 0, np.where(falling < 0, rise / (recovery + bottom), rising)),
    )
