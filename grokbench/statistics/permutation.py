"""Permutation tests of whether two groups of runs, A and B, differ, corrected for many readings.

Test. If A and B come from one distribution, any of the runs might have been in either group, so all
relabellings of the runs are equally likely (Fisher's permutation test). The p value is the share of
relabellings in which the groups lie at least as far apart as observed. It is exact where all
relabellings are enumerated. Where relabellings are drawn, the observed one is counted with them
(Phipson and Smyth 2010, doi:10.2202/1544-6115.1585). All readings of a run move together, so their
dependence is kept.

Statistic. The distance between two groups is the p value of Student's two-sample t test. It is not
used as a p value, because many readings have only two values and are far from normal. As a
statistic it weighs a gap against the spread within the groups. Ranks would not: groups of 5 runs
that do not overlap have the same rank distance however far apart they lie, and chance produces that
distance in 2 of 252 relabellings, which is too often among hundreds of readings.

Correction. Westfall and Young's step-down procedure (1993, "Resampling-based multiple testing")
bounds the probability of any false alarm (family-wise error rate) by the level, under any
dependence between readings. Assumed is that all readings that do not differ between A and B
separately do not differ jointly either. A unit is a set of runs that are relabelled together.
Within a unit the joint distribution of all readings is used; over units the probabilities are added
(Bonferroni), because units share some seeds and not others. A unit none of whose relabellings could
be significant does not count (Tarone 1990, doi:10.2307/2531456).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from grokbench.statistics.intervals import Floats

ENOUGH = 13_000
"""Up to this number all relabellings are enumerated, which includes 8 runs against 8 (12 870).
Where there are more, this number of relabellings is drawn."""

SPREAD = 1e-3
"""Standard deviation added to each reading (its square to the variance): differences below a
thousandth are of no interest, even where all runs of a group agree."""

_TIE = 1e-4
"""Logarithms of p values that differ by less count as equal, because they are stored as float32."""


@lru_cache
def labellings(first: int, second: int) -> npt.NDArray[np.bool_]:
    """Ways to label `first` runs A and `second` runs B: bool [labellings, runs].

    Row 0 is the observed labelling.
    """
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
    """The smallest possible p value for these numbers of runs: that of groups that do not overlap.

    If all relabellings are enumerated. Where they are drawn, no p value is below 1/(ENOUGH + 1).
    """
    # With equal numbers of runs the labels can be exchanged, which gives the same distance again.
    return (2 if first == second else 1) / math.comb(first + second, first)


class Unit:
    """Runs that are relabelled together, and the distances between A and B in each relabelling.

    Args:
        first: readings of A, [runs, readings]; NaN where a run has no such reading.
        second: readings of B, likewise.
    """

    def __init__(self, first: Floats, second: Floats) -> None:
        # Sorted by content, so that B against A draws the same relabellings as A against B.
        one, other = sorted((first, second), key=lambda side: (len(side), side.tobytes()))
        values = np.concatenate([one, other])
        # Distances, [labellings, readings]: logarithms, so the more negative, the farther apart.
        self._apart = _log_p_of_t_test(values, labellings(len(one), len(other)))
        self.observed: npt.NDArray[np.float32] = self._apart[0]
        self.p_values: Floats = (self._apart <= self.observed + _TIE).mean(axis=0)
        """Permutation p value of each reading, before correction."""
        self._kept = np.ones(values.shape[1], bool)
        self._furthest: npt.NDArray[np.float32] = self._apart.min(axis=1, initial=0)

    def share(self, apart: float) -> float:
        """Share of relabellings in which some reading not dropped is at least this far apart."""
        return float((self._furthest <= apart + _TIE).mean())

    def attainable(self) -> float:
        """The smallest share that any relabelling of these runs has (Tarone 1990)."""
        return self.share(float(self._furthest.min()))

    def drop(self, reading: int) -> None:
        """Leave a reading out of all further steps of the step-down procedure."""
        self._kept[reading] = False
        self._furthest = self._apart[:, self._kept].min(axis=1, initial=0)

    def distances(self) -> npt.NDArray[np.float32]:
        """Largest distance over all readings not dropped, of each relabelling; farthest first."""
        return np.sort(self._furthest)


def _log_p_of_t_test(values: Floats, labels: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Log p values of Student's two-sample t test for each labelling: [labellings, readings].

    With T the total sum of squares about the common mean and B the part between the groups, t² =
    (n − 2) B / (T − B), and the two-sided p value is the regularized incomplete beta function
    I(1 − B/T; (n − 2)/2, 1/2). In this form two matrix products serve all labellings. Readings
    without two groups, or with fewer than three runs, have p = 1.
    """
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0).sum(axis=0)
    centred = np.where(known, values - sums / np.maximum(counts, 1), 0)
    in_first = labels.astype(float) @ known
    in_second = counts - in_first
    # Centred values sum to zero, so the sum over B is minus the sum over A.
    sum_of_first = labels.astype(float) @ centred
    with np.errstate(divide="ignore", invalid="ignore"):
        between = sum_of_first**2 / in_first + sum_of_first**2 / in_second
    total = (centred**2).sum(axis=0) + counts * SPREAD**2
    comparable = (in_first > 0) & (in_second > 0) & (counts > 2)
    within = np.where(comparable, 1 - between / np.maximum(total, SPREAD**2), 1).clip(0, 1)
    p_values = special.betainc(np.maximum(counts - 2, 1) / 2, 0.5, within)
    return np.asarray(np.log(p_values.clip(min=np.finfo(float).tiny)), np.float32)


def corrected(units: Sequence[Unit], level: float) -> list[Floats]:
    """Step-down p values of each unit: [readings] each, corrected for all readings of all units.

    A reading that is significant at the level is dropped from its unit: later steps, and
    `visible_gap`, compare with the other readings only. The other readings stay, which changes no
    decision at the level.
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
    # From the farthest apart on. A corrected p value is at least that of the step before.
    for apart, index, reading in order:
        reached = max(reached, sum(unit.share(apart) for unit in family))
        if reached >= 1:
            break
        found[index][reading] = reached
        if reached <= level:
            units[index].drop(reading)
    return found


def visible_gap(units: Sequence[Unit], first: int, second: int, level: float) -> float:
    """The smallest difference that would be significant for one more reading, in a unit of its own.

    Args:
        units: the units that it would be tested with, their significant readings dropped.
        first: number of runs of A.
        second: number of runs of B.
        level: probability of any false alarm.

    Returns:
        The difference between the means in standard deviations within the groups; infinite if no
        difference could be significant.
    """
    # Of the level, the new reading takes its smallest p value; the other units may take the rest.
    left = level - smallest_p(first, second)
    if left < 0:
        return math.inf
    family = [unit.distances() for unit in units if unit.attainable() <= level]
    distances = np.concatenate([np.zeros(1, np.float32), *family])
    shares = np.concatenate([np.ones(1), *(np.full(len(one), 1 / len(one)) for one in family)])
    order = np.argsort(distances)
    beyond = int((np.cumsum(shares[order]) > left).argmax())
    # The other units lie at least this far apart with probability above `left`, and farther with at
    # most `left`. The new reading must lie farther, and at least as far as a t test at the level.
    bound = min(math.log(level), float(distances[order[beyond]]) - 2 * _TIE)
    t = float(stats.t.isf(math.exp(bound) / 2, first + second - 2))
    return t * math.sqrt(1 / first + 1 / second)
