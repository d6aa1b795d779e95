"""The curve nearest to the observed means that dips by at most a depth, and by at least a depth.

Each is a restricted estimate: of all curves for which a null hypothesis is true, the one that fits
the means best. Tests of that hypothesis simulate experiments under this curve. The fit is weighted
least squares, with the inverse variances of the means as weights. The fit is exact where single
sizes form the dips; the functions say what is approximate for wider groups.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.dips import ROUNDING, Groups, MeanCurve, exact_depth
from grokbench.statistics.intervals import Floats
from grokbench.statistics.isotonic import block_levels, isotonic

WIDTH_HALVINGS = 8
"""Bisection steps for the depth of single sizes at which groups of sizes dip by just the depth
asked for: to within 1/256 of the curve's range. Each step fits a curve, so more steps cost time."""


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
    """The nearest curve in which no single size dips by more than `depth`: a unimodal regression.

    A curve c is of this kind exactly if it lies between u − depth and u, for some curve u that
    rises up to a split and falls from there. Proof. If no size of c dips deeper, then u[j] =
    min(max of c up to j, max of c from j on) is such a u. If there is such a u and i < j < k, then
    min(c[i], c[k]) ≤ min(u[i], u[k]) ≤ u[j] ≤ c[j] + depth.

    Therefore u is fitted for every split, by isotonic regression on either side, and the nearest of
    all fits is taken.
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

    For one dip this is quadratic programming: minimize the squared moves of the three group means,
    divided by their variances, subject to peak − bottom ≥ depth and recovery − bottom ≥ depth. The
    solution has one Lagrange multiplier for each leg. The cheapest of all dips is taken.

    All sizes of a group move alike. Where their variances differ, least squares over single sizes
    would move each in proportion to its variance. The curve may leave the range from 0 to 1;
    simulated noise is then that at the nearer bound.
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
        # By Lagrange's condition a group's mean moves by multiplier × variance.
        moved[groups.start[group] : groups.end[group]] += best[group] * variance[group]
    return moved


def _multipliers(
    short_fall: Floats, short_rise: Floats, peak: Floats, recovery: Floats, bottom: float
) -> tuple[Floats, Floats]:
    """Lagrange multipliers of fall and rise, from their shortfalls and the groups' variances.

    With both constraints active the multipliers solve
        (peak + bottom) · fall + bottom · rise = short_fall
        bottom · fall + (recovery + bottom) · rise = short_rise.
    A negative multiplier means that this leg is long enough once the other is. This multiplier
    becomes zero, and the other leg is solved for alone (Karush–Kuhn–Tucker conditions).
    """
    determinant = (peak + bottom) * (recovery + bottom) - bottom**2
    fall = ((recovery + bottom) * short_fall - bottom * short_rise) / determinant
    rise = ((peak + bottom) * short_rise - bottom * short_fall) / determinant
    return (
        np.where(fall < 0, 0, np.where(rise < 0, short_fall / (peak + bottom), fall)),
        np.where(rise < 0, 0, np.where(fall < 0, short_rise / (recovery + bottom), rise)),
    )
