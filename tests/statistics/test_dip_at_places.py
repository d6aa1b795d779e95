"""The depth of a dip at declared places."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from grokbench.statistics.dip_at_places import DipAtPlaces
from grokbench.statistics.melding import STEPS


def runs(share: float, sizes: int, seeds: int) -> np.ndarray:
    """So large a share of runs at 1, all others at 0, in every size."""
    hits = round(share * seeds)
    return np.tile(np.repeat([1.0, 0.0], [hits, seeds - hits]), (sizes, 1))


def test_the_depth_is_the_smaller_leg_of_means_over_sizes():
    peak = np.array([[1.0, 0.5, np.nan], [0.25, np.nan, np.nan]])
    dip = DipAtPlaces(peak, runs(0, 1, 3), runs(1, 1, 3))
    assert pytest.approx((0.5, 1.0)) == dip.legs
    assert pytest.approx(0.5) == dip.depths.estimate
    assert 1 == dip.seeds


@pytest.mark.parametrize("tail", [0.025, 0.0018, 0.0005])
@pytest.mark.parametrize("seeds", [5, 12, 40])
def test_where_every_run_succeeds_a_dip_may_be_as_deep_as_unseen_failures_make_it(seeds, tail):
    """Both legs show it with the bottom alone, so no tail is split (Simes)."""
    dip = DipAtPlaces(runs(1, 3, seeds), runs(1, 3, seeds), runs(1, 1, seeds))
    high = dip.depths.interval(1 - 2 * tail).high
    assert pytest.approx(1 - tail ** (1 / (3 * seeds)), abs=0.005) == high


def test_where_only_the_fall_is_missing_half_the_tail_shows_it():
    """Nothing at the peak and everything elsewhere: the rise alone could be long."""
    dip = DipAtPlaces(runs(0, 1, 5), runs(0, 1, 5), runs(1, 1, 5))
    assert pytest.approx(1 - 0.0125 ** (1 / 5), abs=0.005) == dip.depths.interval().high


def test_ends_err_no_more_often_than_their_tail_in_every_all_or_nothing_world():
    """Exactly: all outcomes of five runs at each place, for a grid of three probabilities of success."""
    tails, seeds = np.array([0.05, 0.025, 0.005, 0.0005]), 5
    counts = range(seeds + 1)
    dips = [
        DipAtPlaces(*(runs(hits / seeds, 1, seeds) for hits in (peak, bottom, recovery))).depths
        for peak, bottom, recovery in product(counts, counts, counts)
    ]
    ends = [[dip.interval(1 - 2 * tail) for tail in tails] for dip in dips]
    low, high = (
        np.array([[getattr(end, name) for end in row] for row in ends]) for name in ("low", "high")
    )
    worst = np.zeros((2, len(tails)))
    shares = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)
    for peak, bottom, recovery in product(shares, shares, shares):
        true = min(peak, recovery) - bottom
        chances = [stats.binom.pmf(np.array(counts), seeds, p) for p in (peak, bottom, recovery)]
        weights = np.einsum("i,j,k->ijk", *chances).ravel()
        errors = [weights @ (low > true + 1e-9), weights @ (high < true - 1e-9)]
        worst = np.maximum(worst, errors)
    assert (worst <= tails).all()
    assert (worst[:, :3] > 0.25 * tails[:3]).all()


def test_the_difference_of_two_depths_is_melded_too():
    deep = DipAtPlaces(runs(1, 3, 12), runs(0, 3, 12), runs(1, 1, 12)).depths
    flat = DipAtPlaces(runs(1, 3, 12), runs(1, 3, 12), runs(1, 1, 12)).depths
    found = deep.less(flat.or_zero(), 0.999)
    assert pytest.approx(1.0) == found.estimate
    assert deep.interval(0.999).low - flat.interval(0.999).high < found.low < 1
    assert 1 == pytest.approx(found.high, abs=0.002)


def test_a_depth_below_zero_counts_as_zero_where_that_is_asked_for():
    rising = DipAtPlaces(runs(0, 3, 12), runs(1, 3, 12), runs(1, 1, 12)).depths
    assert -1 == rising.estimate
    found = rising.or_zero().interval()
    assert (0, 0) == pytest.approx((found.estimate, found.low), abs=1 / STEPS)
    assert 0 <= found.high < 0.01
