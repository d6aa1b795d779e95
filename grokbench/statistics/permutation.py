"""Whether two groups of runs differ by more than their seeds explain, for many groups at once.

Were A and B the same, any of a unit's runs might as well have come from the other side: every
relabelling of its runs is as likely as the one that was seen (Fisher's permutation argument; exact
where all are gone through, and with the observed one counted where they are drawn: Phipson & Smyth
2010, doi:10.2202/1544-6115.1585). All readings of a run move together.

A difference is measured by the p value of Student's two-sample t test. As a p value it would be
wrong here, where many readings have two values; as a measure it weighs a gap against the spread
within the groups, and so can tell a clean gap at five seeds from chance among hundreds of cells,
which ranks cannot: 5 against 5 have 252 relabellings, whatever the gap.

The correction is Westfall & Young's step-down one (1993, "Resampling-based multiple testing"),
with each unit's own relabellings, and Bonferroni's sum in place of the joint distribution over
units, because units share seeds in ways that are not the same everywhere. The chance of any false
alarm is at most the level, whatever depends on what. Units that could not be told apart at the
level however they were labelled do not count (Tarone 1990, doi:10.2307/2531456).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]

ENOUGH = 13_000
"""Up to so many relabellings are gone through, which is all of 8 against 8; of more, as many are drawn."""

SPREAD = 1e-3
"""Added to the spread of every reading: less than a thousandth is nobody's difference."""

_TIE = 1e-4


@lru_cache
def labellings(first: int, second: int) -> npt.NDArray[np.bool_]:
    """Ways to call `first` of all runs A and the others B: [labellings, runs]; row 0 is the observed."""
    runs = first + second
    if math.comb(runs, first) <= ENOUGH:
        chosen = np.array(list(combinations(range(runs), first))).reshape(-1, first)
    else:
        random = np.random.default_rng(0).random((ENOUGH, runs))
        chosen = np.vstack([np.arange(first), random.argsort(axis=1)[:, :first]])
    labels = np.zeros((len(chosen), runs), bool)
    np.put_along_axis(labels, chosen, values=True, axis=1)
    return labels


def smallest_p(first: int, second: int) -> float:
    """The p value of groups that lie wholly apart: with so few runs, none is smaller."""
    return (2 if first == second else 1) / math.comb(first + second, first)


class Unit:
    """Runs that are relabelled together, and how far apart their groups come to lie.

    Args:
        first: [runs, readings] of A; NaN where a run has no such reading.
        second: the same of B.
    """

    def __init__(self, first: Floats, second: Floats) -> None:
        # In an order of their own, so that B against A draws the same relabellings as A against B.
        one, other = sorted((first, second), key=lambda side: (len(side), side.tobytes()))
        values = np.concatenate([one, other])
        # Natural logarithms of t test p values, [labellings, readings]; the more negative, the
        # further apart.
        self._apart = _apart(values, labellings(len(one), len(other)))
        self.observed: npt.NDArray[np.float32] = self._apart[0]
        self.p_values: Floats = (self._apart <= self.observed + _TIE).mean(axis=0)
        """For each reading by itself, before any correction."""
        self._kept = np.ones(values.shape[1], bool)
        self._furthest: npt.NDArray[np.float32] = self._apart.min(axis=1, initial=0)

    def share(self, apart: float) -> float:
        """The share of relabellings in which a reading still kept is as far apart, or further."""
        return float((self._furthest <= apart + _TIE).mean())

    def attainable(self) -> float:
        """The smallest p value that any relabelling of these very runs could have."""
        return self.share(float(self._furthest.min()))

    def drop(self, reading: int) -> None:
        """Leave a reading out of what is still compared."""
        self._kept[reading] = False
        self._furthest = self._apart[:, self._kept].min(axis=1, initial=0)

    def distances(self) -> npt.NDArray[np.float32]:
        """How far apart the groups lie in each relabelling, ascending: the furthest first."""
        return np.sort(self._furthest)


def _apart(values: Floats, labels: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    there = ~np.isnan(values)
    counts = there.sum(axis=0)
    sums = np.where(there, values, 0).sum(axis=0)
    centred = np.where(there, values - sums / np.maximum(counts, 1), 0)
    in_first = labels.astype(float) @ there
    in_second = counts - in_first
    moved = labels.astype(float) @ centred
    with np.errstate(divide="ignore", invalid="ignore"):
        between = moved**2 / in_first + moved**2 / in_second
    total = (centred**2).sum(axis=0) + counts * SPREAD**2
    comparable = (in_first > 0) & (in_second > 0) & (counts > 2)
    within = np.where(comparable, 1 - between / np.maximum(total, SPREAD**2), 1).clip(0, 1)
    p_values = special.betainc(np.maximum(counts - 2, 1) / 2, 0.5, within)
    return np.asarray(np.log(p_values.clip(min=np.finfo(float).tiny)), np.float32)


def corrected(units: Sequence[Unit], level: float) -> list[Floats]:
    """For each unit, the p values of its readings, corrected for all readings of all units.

    What stays below the level is dropped from its unit, which then shows what is left.
    """
    able = [unit.attainable() <= level for unit in units]
    family = [unit for unit, counts in zip(units, able, strict=True) if counts]
    found = [np.ones(len(unit.observed)) for unit in units]
    order = sorted(
        (float(unit.observed[reading]), index, reading)
        for index, unit in enumerate(units)
        if able[index]
        for reading in range(len(unit.observed))
    )
    reached = 0.0
    for apart, index, reading in order:
        reached = max(reached, sum(unit.share(apart) for unit in family))
        if reached >= 1:
            break
        found[index][reading] = reached
        if reached <= level:
            units[index].drop(reading)
    return found


def visible_gap(units: Sequence[Unit], first: int, second: int, level: float) -> float:
    """How far apart the groups of one more unit must lie to be told apart from these.

    Args:
        units: those among which it is looked for; what differs is dropped from them.
        first: runs of A.
        second: runs of B.
        level: the chance of any false alarm.

    Returns:
        The gap between the means in standard deviations within the groups; infinite where no gap
        is enough.
    """
    left = level - smallest_p(first, second)
    if left < 0:
        return math.inf
    family = [unit.distances() for unit in units if unit.attainable() <= level]
    distances = np.concatenate([np.zeros(1, np.float32), *family])
    shares = np.concatenate([np.ones(1), *(np.full(len(one), 1 / len(one)) for one in family)])
    order = np.argsort(distances)
    beyond = int((np.cumsum(shares[order]) > left).argmax())
    bound = min(math.log(level), float(distances[order[beyond]]) - 2 * _TIE)
    t = float(stats.t.isf(math.exp(bound) / 2, first + second - 2))
    return t * math.sqrt(1 / first + 1 / second)
