"""Two curves: the nearest with no dip deeper than d, and the nearest with a dip of at least d.

Tests of a hypothesis on the depth simulate experiments under a curve that satisfies the hypothesis
and lies near the observed means. The fit is weighted least squares, with the inverse variances of
the means as weights. Where single sizes form dips, each curve is the nearest of all (the restricted
estimate). Where only wider groups do, a nearer curve can exist; the functions say why.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.dips import ROUNDING, Groups, MeanCurve, exact_depth
from grokbench.statistics.intervals import Floats
from grokbench.statistics.isotonic import block_levels, isotonic

DEPTH_HALVINGS = 8
"""Bisection steps in `nearest_without_dip`. Eight give 1/256 of the range. Each fits a curve."""


def nearest_without_dip(curve: MeanCurve, groups: Groups, depth: float) -> Floats:
    """The nearest curve, [sizes], whose dips of `groups` are at most `depth` deep.

    The nearest one where groups of a single size count. Where only wider groups count, the fit is
    the nearest curve whose single sizes dip by at most d, for a d found by bisection. The bound
    always holds: for d = depth because a group's mean lies between those of its sizes, for any
    larger d because it was tested. A still larger d may exist, because the depth of groups need not
    grow with d; a nearer curve may exist, too.
    """
    low, high = depth, float(np.ptp(curve.mean))
    if groups.shortest == 1 or high <= low:
        return _without_dip_of_single_sizes(curve, depth)
    if exact_depth(curve.mean, groups) <= depth:
        return curve.mean
    for _ in range(DEPTH_HALVINGS):
        between = (low + high) / 2
        deeper = exact_depth(_without_dip_of_single_sizes(curve, between), groups) > depth
        low, high = (low, between) if deeper else (between, high)
    return _without_dip_of_single_sizes(curve, low)


def _without_dip_of_single_sizes(curve: MeanCurve, depth: float) -> Floats:
    """The nearest curve in which no single size dips by more than `depth`: a unimodal regression.

    A curve c is of this kind exactly if it lies between u − depth and u, for some curve u that
    rises up to a split and falls from there. If c has no deeper dip, take
    u[j] = min(max c[..j], max c[j..]): u[j] ≥ c[j], and u[j] − c[j] is 0 or the dip at j.
    Conversely, for i < j < k: min(c[i], c[k]) ≤ min(u[i], u[k]) ≤ u[j] ≤ c[j] + depth.

    Therefore u is fitted for every split, by isotonic regression on either side, and the nearest of
    all fits is taken.
    """
    # With the variance of rounding, weights are finite where all seeds agree.
    sizes, weights = len(curve.mean), 1 / (curve.variance + ROUNDING**2)
    levels = block_levels(curve.mean, weights, depth)
    fits = []
    for split in range(sizes + 1):
        rising = isotonic(levels[:split, :split])
        # A falling curve rises when it is read backwards. Read backwards, a block's first and last
        # change places: hence the transpose.
        falling = isotonic(levels[split:, split:].T[::-1, ::-1])[::-1]
        above = np.concatenate([rising, falling])
        fits.append(np.clip(curve.mean, above - depth, above))
    costs = [(weights * (fit - curve.mean) ** 2).sum() for fit in fits]
    return fits[int(np.argmin(costs))]


def nearest_with_dip(curve: MeanCurve, groups: Groups, depth: float) -> Floats:
    """The nearest curve, [sizes], in the group means, with a dip of `groups` at least `depth` deep.

    For one dip this is quadratic programming: the three group means move at the least cost
    Σ move²/variance, subject to peak − bottom ≥ depth and recovery − bottom ≥ depth. The solution
    has one Lagrange multiplier for each leg. The cheapest of all dips is taken.

    All sizes of a group move alike. Where their variances differ, this is not the least-squares
    curve over sizes, where each size moves in proportion to its own variance. Example: means 0.5,
    variances (1, 1, 0.01, 1, 1, 1), pairs as groups, depth 0.1: this curve costs 0.265, the
    least-squares curve 0.0199. The curve may leave the range from 0 to 1; simulated noise is then
    that at the nearer bound.
    """
    over = groups.over(curve)
    variance = over.variance + ROUNDING**2
    best, least = np.zeros(len(groups.start)), np.inf
    for bottom, before, after in groups.dips:
        # A leg that is long enough lacks nothing.
        lacking = np.maximum(depth - over.mean + over.mean[bottom], 0)
        lack_fall, lack_rise = lacking[before][:, None], lacking[after]
        fall, rise = _multipliers(
            lack_fall, lack_rise, variance[before][:, None], variance[after], variance[bottom]
        )
        # The multipliers are those of half the cost, so Σ multiplier · lack is the whole cost:
        # [peaks, recoveries].
        costs = fall * lack_fall + rise * lack_rise
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
    lack_fall: Floats,
    lack_rise: Floats,
    peak_variance: Floats,
    recovery_variance: Floats,
    bottom_variance: float,
) -> tuple[Floats, Floats]:
    """Lagrange multipliers of the fall and the rise, from what these legs lack of their length.

    With both constraints active they solve
        (peak_variance + bottom_variance) · fall + bottom_variance · rise = lack_fall
        bottom_variance · fall + (recovery_variance + bottom_variance) · rise = lack_rise.
    A negative multiplier means that this leg is long enough once the other is; it becomes zero, and
    the other leg is solved for alone (Karush–Kuhn–Tucker conditions). Both multipliers cannot be
    negative: one would need lack_fall < lack_rise, the other the reverse.
    """
    fall_variance = peak_variance + bottom_variance
    rise_variance = recovery_variance + bottom_variance
    determinant = fall_variance * rise_variance - bottom_variance**2
    fall = (rise_variance * lack_fall - bottom_variance * lack_rise) / determinant
    rise = (fall_variance * lack_rise - bottom_variance * lack_fall) / determinant
    return (
        np.where(fall < 0, 0, np.where(rise < 0, lack_fall / fall_variance, fall)),
        np.where(rise < 0, 0, np.where(fall < 0, lack_rise / rise_variance, rise)),
    )
