"""Where a curve along model size dips, how deep, and the nearest curves that dip less or more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from grokbench.statistics.intervals import Floats

Places = npt.NDArray[np.intp]

ROUNDING = 1e-6
"""The smallest standard error of a leg: accuracies are stored as float32."""

HALVINGS = 40
"""How often an interval is halved to find a level in it: to a 10^-12 part."""

ENOUGH_HALVINGS = 8
"""How often to find by how much single sizes may dip where only wider dips count."""


@dataclass(frozen=True)
class Curve:
    """Mean final accuracy along model size, and the variances of those means.

    Both are [sizes], or [resamples, sizes] for many curves.
    """

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class Groups:
    """Groups of neighbouring sizes, each from `start` up to and without `end` (both [groups])."""

    start: Places
    end: Places

    @classmethod
    def of(cls, sizes: int, shortest: int, longest: int) -> Groups:
        """All groups of `shortest` to `longest` of so many sizes."""
        pairs = [
            (start, start + length)
            for start in range(sizes)
            for length in range(shortest, longest + 1)
            if start + length <= sizes
        ]
        return cls(*np.array(pairs, np.intp).reshape(-1, 2).T)

    @property
    def shortest(self) -> int:
        return int((self.end - self.start).min())

    def over(self, curve: Curve) -> Curve:
        """The mean over each group, and its variance; groups in place of sizes."""
        length = self.end - self.start
        return Curve(self._sums(curve.mean) / length, self._sums(curve.variance) / length**2)

    def _sums(self, values: Floats) -> Floats:
        zero = np.zeros((*values.shape[:-1], 1))
        up_to = np.concatenate([zero, np.cumsum(values, axis=-1)], axis=-1)
        return np.asarray(up_to[..., self.end] - up_to[..., self.start])

    @cached_property
    def dips(self) -> tuple[tuple[int, Places, Places], ...]:
        """Each group that may be a dip, and which groups lie wholly before it and wholly after it."""
        sides = (
            (bottom, np.flatnonzero(self.end <= start), np.flatnonzero(self.start >= end))
            for bottom, (start, end) in enumerate(zip(self.start, self.end, strict=True))
        )
        return tuple(dip for dip in sides if dip[1].size and dip[2].size)


Measure = Callable[[Floats, Floats], Floats]
"""What a leg counts for: from how far it goes, and the standard error of that."""


def allowing(errors: float) -> Measure:
    """How far a leg goes, less so many of its standard errors."""
    return lambda leg, error: leg - errors * error


def beyond(depth: float) -> Measure:
    """By how many of its standard errors a leg goes farther than `depth`."""
    return lambda leg, error: (leg - depth) / error


def deepest(curve: Curve, groups: Groups, measure: Measure) -> Floats:
    """The deepest dip of each curve, [...]: the smaller leg of it, as `measure` has them.

    A dip is a group of neighbouring sizes, one before it from which accuracy falls, and one after it
    to which it rises.
    """
    over = groups.over(curve)
    depths = [
        np.minimum(
            _legs(over, before, bottom, measure).max(axis=-1),
            _legs(over, after, bottom, measure).max(axis=-1),
        )
        for bottom, before, after in groups.dips
    ]
    return np.asarray(np.max(depths, axis=0))


def place(curve: Curve, groups: Groups, measure: Measure) -> tuple[int, int, int]:
    """Which groups the deepest dip of one curve has for peak, dip and recovery."""
    over, best, deep = groups.over(curve), (0, 0, 0), -np.inf
    for bottom, before, after in groups.dips:
        falls, rises = (_legs(over, side, bottom, measure) for side in (before, after))
        if min(falls.max(), rises.max()) > deep:
            deep = min(falls.max(), rises.max())
            best = int(before[falls.argmax()]), bottom, int(after[rises.argmax()])
    return best


def _legs(over: Curve, side: Places, bottom: int, measure: Measure) -> Floats:
    leg = over.mean[..., side] - over.mean[..., [bottom]]
    variance = over.variance[..., side] + over.variance[..., [bottom]]
    return measure(leg, np.sqrt(variance) + ROUNDING)


def without_dip(curve: Curve, groups: Groups, depth: float) -> Floats:
    """The nearest curve that dips by `depth` at the most, [sizes]; near as variances measure it.

    Where dips of single sizes count, it is the nearest; where narrow ones do not, that one of the
    curves nearest for single sizes which may dip the deepest.
    """
    low, high = depth, float(np.ptp(curve.mean))
    if groups.shortest == 1 or high <= low:
        return _without_dip_of_one_size(curve, depth)
    if as_it_is(curve.mean, groups) <= depth:
        return curve.mean
    for _ in range(ENOUGH_HALVINGS):
        between = (low + high) / 2
        deeper = as_it_is(_without_dip_of_one_size(curve, between), groups) > depth
        low, high = (low, between) if deeper else (between, high)
    return _without_dip_of_one_size(curve, low)


def as_it_is(curve: Floats, groups: Groups) -> float:
    """How deep a curve dips, [sizes], that is known without error."""
    return float(deepest(Curve(curve, np.zeros_like(curve)), groups, allowing(0)))


def _without_dip_of_one_size(curve: Curve, depth: float) -> Floats:
    """The nearest curve no size of which dips by more than `depth`.

    No size of it lies more than `depth` below some curve that rises to one size and falls from there,
    and none above: were there a deeper dip, one of its sides would be higher than that curve is.
    That curve is fitted, split at every size, by isotonic regression (Robertson, Wright and Dykstra
    1988, Order Restricted Statistical Inference) of what lies outside.
    """
    sizes, weights = len(curve.mean), 1 / (curve.variance + ROUNDING**2)
    levels = _levels(curve.mean, weights, depth)
    fits = []
    for split in range(sizes + 1):
        rising = _isotonic(levels[:split, :split])
        falling = _isotonic(levels[split:, split:].T[::-1, ::-1])[::-1]
        above = np.concatenate([rising, falling])
        fits.append(np.clip(curve.mean, above - depth, above))
    costs = [(weights * (fit - curve.mean) ** 2).sum() for fit in fits]
    return fits[int(np.argmin(costs))]


def _levels(curve: Floats, weights: Floats, depth: float) -> Floats:
    """The level nearest to each run of sizes, [first, last], from which they may lie `depth` down."""
    places = np.arange(len(curve))
    first, last = places[:, None, None], places[:, None]
    within = np.where((first <= places) & (places <= last), weights, 0.0)
    low = np.full(within.shape[:2], curve.min())
    high = np.full(within.shape[:2], curve.max() + depth)
    for _ in range(HALVINGS):
        level = (low + high) / 2
        over, under = level[..., None] - depth - curve, curve - level[..., None]
        pull = (within * (np.maximum(over, 0) - np.maximum(under, 0))).sum(axis=-1)
        low, high = np.where(pull < 0, level, low), np.where(pull < 0, high, level)
    return np.asarray((low + high) / 2)


def _isotonic(levels: Floats) -> Floats:
    """The rising fit, of each run of sizes' own level: the largest of the least from each size on."""
    sizes = len(levels)
    if sizes == 0:
        return np.empty(0)
    known = np.where(np.tri(sizes, k=-1, dtype=bool), np.inf, levels)
    least = np.minimum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(np.tri(sizes, k=-1, dtype=bool), -np.inf, least).max(axis=0))


def with_dip(curve: Curve, groups: Groups, depth: float) -> Floats:
    """The nearest curve that dips by `depth` or more, [sizes]; near as variances measure it.

    For each peak, dip and recovery the two legs are two inequalities on three means, and the nearest
    means that keep them are those of Lagrange; the cheapest of all is taken.
    """
    over = groups.over(curve)
    variance = over.variance + ROUNDING**2
    best, least = np.zeros(len(groups.start)), np.inf
    for bottom, before, after in groups.dips:
        lacking = np.maximum(depth - over.mean + over.mean[bottom], 0)
        short_fall, short_rise = lacking[before][:, None], lacking[after]
        fall, rise = _pulls(
            short_fall, short_rise, variance[before][:, None], variance[after], variance[bottom]
        )
        costs = fall * short_fall + rise * short_rise
        cheapest = np.unravel_index(costs.argmin(), costs.shape)
        if costs[cheapest] < least:
            least, best = costs[cheapest], np.zeros(len(groups.start))
            best[before[cheapest[0]]] = fall[cheapest]
            best[after[cheapest[1]]] = rise[cheapest]
            best[bottom] = -fall[cheapest] - rise[cheapest]
    moved = curve.mean.copy()
    for group in np.flatnonzero(best):
        moved[groups.start[group] : groups.end[group]] += best[group] * variance[group]
    return moved


def _pulls(
    fall: Floats, rise: Floats, peak: Floats, recovery: Floats, dip: float
) -> tuple[Floats, Floats]:
    """How hard each leg has to be pulled to make good what it lacks, given the means' variances."""
    determinant = (peak + dip) * (recovery + dip) - dip**2
    falling = ((recovery + dip) * fall - dip * rise) / determinant
    rising = ((peak + dip) * rise - dip * fall) / determinant
    return (
        np.where(falling < 0, 0, np.where(rising < 0, fall / (peak + dip), falling)),
        np.where(rising < 0, 0, np.where(falling < 0, rise / (recovery + dip), rising)),
    )
