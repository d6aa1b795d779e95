"""The stratified trend test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from grokbench.statistics.trend import trend_test


def exact(scores, strata, trials, successes):
    """P(sum of scores of successes at least as large), by listing every choice of trials."""
    sums = [(0.0, 1)]
    for label in np.unique(strata):
        here = np.flatnonzero(strata == label)
        single = np.repeat(scores[here], trials[here])
        chosen = itertools.combinations(single, int(successes[here].sum()))
        of_stratum = [sum(one) for one in chosen]
        sums = [(a + b, n) for a, n in sums for b in of_stratum]
    values = np.array([one for one, _ in sums])
    return float((values >= successes @ scores - 1e-9).mean())


def test_p_values_are_those_of_all_permutations():
    scores = np.array([0.0, 1.0, 2.5, 0.0, 1.0, 2.5])
    strata = np.array([1, 1, 1, 2, 2, 2])
    trials = np.array([3, 2, 3, 2, 3, 3])
    for successes in ([0, 1, 3, 0, 1, 2], [1, 1, 2, 1, 2, 1], [0, 0, 3, 0, 0, 3]):
        hits = np.array(successes)
        found = trend_test(scores, strata, trials, hits)
        expected = exact(scores, strata, trials, hits)
        assert pytest.approx(expected, rel=0.45) == found.rising
        mirrored = trend_test(-scores, strata, trials, hits)
        assert pytest.approx(expected, rel=0.45) == mirrored.falling


def test_strata_in_which_all_or_none_succeed_change_nothing():
    scores, trials = np.array([0.0, 1.0, 2.0]), np.array([5, 5, 5])
    alone = trend_test(scores, np.zeros(3), trials, np.array([1, 2, 4]))
    more = trend_test(
        np.tile(scores, 3),
        np.repeat([0, 1, 2], 3),
        np.tile(trials, 3),
        np.array([1, 2, 4, 0, 0, 0, 5, 5, 5]),
    )
    assert alone == more
    nothing = trend_test(scores, np.zeros(3), trials, trials)
    assert (1.0, 1.0) == (nothing.rising, nothing.falling)


def test_a_trend_that_only_the_strata_explain_is_none():
    """Larger scores were tried mostly in the stratum where nearly everything succeeds."""
    scores, strata = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1, 1, 2, 2])
    trials, successes = np.array([40, 10, 10, 40]), np.array([4, 1, 9, 36])
    assert trend_test(scores, strata, trials, successes).rising > 0.3
    assert trend_test(scores, np.zeros(4), trials, successes).rising < 1e-4


def test_the_null_is_rejected_no_more_often_than_promised():
    """Unequal numbers of trials; at 1 %, 40 of 4000 tests err, and 60 or more hardly ever."""
    generator = np.random.default_rng(1)
    scores, strata = np.tile([0.0, 1.0, 3.0], 2), np.repeat([0, 1], 3)
    trials = np.array([3, 9, 5, 7, 2, 4])
    experiments = generator.binomial(trials, np.repeat([0.2, 0.7], 3), (4000, 6))
    rows, times = np.unique(experiments, axis=0, return_counts=True)
    found = [trend_test(scores, strata, trials, row) for row in rows]
    assert times[[one.rising <= 0.01 for one in found]].sum() < 60
    assert times[[one.falling <= 0.01 for one in found]].sum() < 60
    assert times[[min(one.rising, one.falling) <= 0.05 for one in found]].sum() > 100
