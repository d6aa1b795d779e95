"""How deep a dip may be by runs of a kind that no seed happens to show.

If a share p of the runs of a size fails, none of n does in (1 - p)^n of experiments: Clopper and
Pearson's (1934) limit for none of n is the p at which those are few enough. Over several sizes the
probabilities multiply, and the limit is the worst of all shares (p of each size) whose product is not
yet so small: a curve is moved as far as a budget of -log of that product reaches.
"""

from __future__ import annotations

import numpy as np

from grokbench.statistics.dips import HALVINGS, Curve, Groups
from grokbench.statistics.intervals import Floats

PARTS = 8
"""Into so many parts the budget is split between the peak, the bottom and the recovery."""


def deepest_unseen(curve: Curve, groups: Groups, runs: Floats, share: float) -> float:
    """The deepest dip of one curve if unseen runs fail at the bottom, or do better beside it.

    Args:
        curve: means between 0 and 1, [sizes].
        groups: which a dip consists of.
        runs: how many there are, [sizes].
        share: of such experiments, at least so many show none of those runs.
    """
    low, high = _reach(curve, groups, runs, share)
    splits = [
        (left, down, PARTS - left - down)
        for left in range(PARTS + 1)
        for down in range(PARTS + 1 - left)
    ]
    left, down, right = np.array(splits, np.intp).T
    return max(
        float(
            (
                np.minimum(high[left][:, before].max(axis=1), high[right][:, after].max(axis=1))
                - low[down, bottom]
            ).max()
        )
        for bottom, before, after in groups.dips
    )


def _reach(curve: Curve, groups: Groups, runs: Floats, share: float) -> tuple[Floats, Floats]:
    """How low and how high each group's mean may be for each part of the budget: [parts, groups]."""
    spent = -np.log(share) * np.arange(PARTS + 1) / PARTS
    mean = groups.over(curve).mean
    fall, rise = (_farthest(room, groups, runs, spent) for room in (curve.mean, 1 - curve.mean))
    return mean - fall, mean + rise


def _farthest(room: Floats, groups: Groups, runs: Floats, spent: Floats) -> Floats:
    """How far unseen runs may move a group's mean, [spent, groups].

    With shares p the sum of n (-log(1 - p)) is spent, and the mean moves by that of p * room, where
    `room` ([sizes]) is how far all runs of a size would. Lagrange has 1 - p = c n / room, or 1 where
    that is more, for one c in a group, which is found by halving.
    """
    sizes = np.arange(len(room))
    inside = (groups.start[:, None] <= sizes) & (sizes < groups.end[:, None])
    mine = np.where(inside, np.maximum(room, np.finfo(float).tiny), np.finfo(float).tiny)
    wide = np.log(mine / runs)
    high = np.broadcast_to(wide.max(axis=1), (len(spent), len(mine)))
    low = high - spent[:, None] / runs.min()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        costs = (runs * np.maximum(wide - middle[..., None], 0)).sum(axis=-1)
        too_much = costs > spent[:, None]
        low, high = np.where(too_much, middle, low), np.where(too_much, high, middle)
    moved = np.maximum(mine - np.exp(high)[..., None] * runs, 0).sum(axis=-1)
    return np.asarray(moved / (groups.end - groups.start))
