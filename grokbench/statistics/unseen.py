"""How deep a dip could be because of runs with another outcome, which no seed happened to show.

If a share p of the runs of a size have another outcome, none of n runs shows it with probability
(1 − p)^n. The upper confidence bound for p after none of n is the p at which this probability is
the tail probability (Clopper and Pearson 1934). Over several sizes the probabilities multiply. All
combinations of shares for which the product is at least the tail probability form a joint
confidence region, and the bound is the deepest dip in this region. In logarithms there is a budget,
−log of the tail probability, of which a share p at a size with n runs spends −n log(1 − p).

Assumptions: runs are independent; accuracies lie between 0 and 1; another outcome is the worst one,
accuracy 0 at the bottom and 1 at the peak and the recovery; the means of all other runs are known
without error. The test in `dip_tests` is for errors of the means.

The other way round, a dip may be seen only because runs are missing by chance: `deepest_despite_unseen`.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.dips import Groups, MeanCurve
from grokbench.statistics.intervals import Floats
from grokbench.statistics.isotonic import HALVINGS

PARTS = 8
"""The budget is divided between peak, bottom and recovery in eighths: all 45 divisions are tried.
On 200 random curves 48 parts deepened the bound by at most 0.008, on nine of ten by less than
0.0003."""


def deepest_unseen(curve: MeanCurve, groups: Groups, runs: Floats, tail: float) -> float:
    """The deepest dip if unseen runs fail at the bottom and generalize at peak and recovery.

    Args:
        curve: means between 0 and 1, [sizes].
        groups: the groups of sizes of which dips consist.
        runs: number of runs of each size, [sizes].
        tail: probability that no seed shows any of these runs. No more often is the true depth
            beyond the bound.
    """
    low, high = _reach(curve, groups, runs, tail)
    # Parts of the budget spent at the peak, at the bottom and at the recovery.
    divisions = [
        (left, down, PARTS - left - down)
        for left in range(PARTS + 1)
        for down in range(PARTS + 1 - left)
    ]
    left, down, right = np.array(divisions, np.intp).T
    # For each bottom and division: the highest peak before it and the highest recovery after it.
    return max(
        float(
            (
                np.minimum(high[left][:, before].max(axis=1), high[right][:, after].max(axis=1))
                - low[down, bottom]
            ).max()
        )
        for bottom, before, after in groups.dips
    )


def deepest_despite_unseen(curve: MeanCurve, groups: Groups, runs: Floats, tail: float) -> float:
    """The depth that the deepest dip keeps if unseen runs generalize at the bottom and fail elsewhere.

    For each dip the shares of unseen runs are chosen that leave the least of a leg. The largest depth that a
    dip keeps is a lower bound of the depth that is left in every curve of the confidence region. A search for the
    deepest dip chooses sizes at which such runs are missing by chance, so the tail is divided by the number
    of sizes (Bonferroni).

    Args:
        curve, groups, runs: as for `deepest_unseen`.
        tail: of the whole curve. In no more experiments with a curve of means like these is a dip that deep
            made by runs that are missing by chance.
    """
    low, high = _reach(curve, groups, runs, tail / len(runs))
    # A leg ends at the lowest peak and the highest bottom of each division of the budget between the two.
    legs = np.min([low[part][:, None] - high[PARTS - part] for part in range(PARTS + 1)], axis=0)
    return max(
        float(min(legs[before, bottom].max(), legs[after, bottom].max()))
        for bottom, before, after in groups.dips
    )


def _reach(curve: MeanCurve, groups: Groups, runs: Floats, tail: float) -> tuple[Floats, Floats]:
    """Lowest and highest mean of each group for each part of the budget: [parts + 1, groups]."""
    budgets = -np.log(tail) * np.arange(PARTS + 1) / PARTS
    mean = groups.over(curve).mean
    fall, rise = (_farthest(room, groups, runs, budgets) for room in (curve.mean, 1 - curve.mean))
    return mean - fall, mean + rise


def _farthest(room: Floats, groups: Groups, runs: Floats, budgets: Floats) -> Floats:
    """How far unseen runs can move the mean of each group, [budgets, groups].

    The sum of p · room over the sizes of a group is maximized, where the sum of −n log(1 − p) is
    the budget. `room` ([sizes]) is how far the mean of a size moves if all its runs change. By
    Lagrange's condition 1 − p = c n / room, or p = 0 where c n exceeds room, with one c for the
    whole group. The size with the most room per run is moved first. log c is found by bisection.
    """
    # Sizes outside the group, and sizes without room, get the smallest normal number: its logarithm
    # is finite.
    sizes, nothing = np.arange(len(room)), np.finfo(float).tiny
    inside = (groups.start[:, None] <= sizes) & (sizes < groups.end[:, None])
    own = np.where(inside, np.maximum(room, nothing), nothing)
    start = np.log(own / runs)  # log c at which a size begins to move: there 1 - p is 1
    high = np.broadcast_to(start.max(axis=1), (len(budgets), len(own)))
    low = high - budgets[:, None] / runs.min()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        costs = (runs * np.maximum(start - middle[..., None], 0)).sum(axis=-1)
        too_much = costs > budgets[:, None]
        low, high = np.where(too_much, middle, low), np.where(too_much, high, middle)
    # `high` is the end of the bracket that spends no more than the budget.
    moved = np.maximum(own - np.exp(high)[..., None] * runs, 0).sum(axis=-1)
    return np.asarray(moved / (groups.end - groups.start))
