"""Differences of means of bounded values."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy import stats

from grokbench.statistics.bounded_means import BoundedMean, difference_interval

CONFIDENCES = (0.95, 0.9964, 0.999)
TAILS = (1 - np.array(CONFIDENCES)) / 2


def groups(*values):
    return BoundedMean(np.array(values, float))


def test_groups_have_equal_weight():
    mean = groups([1.0, 1.0, 1.0], [0.0, np.nan, np.nan])
    assert 0.5 == mean.estimate


def test_a_mean_against_a_known_one_has_the_bound_of_clopper_and_pearson():
    """Thousands of zeros are known to be 0, so that five successes in five decide alone."""
    zeros = BoundedMean(np.zeros((1, 20_000)))
    for confidence in CONFIDENCES:
        found = difference_interval(BoundedMean(np.ones((1, 5))), zeros, confidence)
        exact = stats.beta.ppf((1 - confidence) / 2, 5, 1)
        assert pytest.approx(exact, abs=0.004) == found.low


def test_an_interval_holds_its_difference_at_every_confidence():
    first, second = groups([0.2, 0.9, 0.4]), groups([0.1, 0.3, 0.8, 0.4])
    for confidence in (0.01, 0.5, *CONFIDENCES, 0.99999):
        found = difference_interval(first, second, confidence)
        assert -1 <= found.low <= found.estimate <= found.high <= 1


@pytest.mark.parametrize("runs", [(5, 5), (6, 3)])
def test_no_end_errs_more_often_than_its_tail_where_runs_succeed_or_fail(runs):
    """Exactly: two sizes each, of which every size has its own probability of success."""
    firsts, seconds = ([_successes(k, 2 * n) for k in range(2 * n + 1)] for n in runs)
    ends = np.array([[_ends(first, second) for second in seconds] for first in firsts])
    chances = list(combinations_with_replacement((0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0), 2))
    of_one, of_other = (
        np.array([np.convolve(_binomial(n, p), _binomial(n, q)) for p, q in chances]) for n in runs
    )
    mean = np.mean(chances, axis=1)
    true = (mean[:, None] - mean)[..., None, None, None]
    for errs in (ends[..., 0, :] > true + 1e-9, ends[..., 1, :] < true - 1e-9):
        rate = np.einsum("px,qy,pqxyc->pqc", of_one, of_other, errs)
        assert (rate.max(axis=(0, 1)) <= TAILS).all()
        # A bound that never errs would be of no use.
        assert (rate.max(axis=(0, 1)) >= 0.4 * TAILS).all()


def _successes(hits, runs):
    return groups(np.repeat([1.0, 0.0], [hits, runs - hits]))


def _ends(first, second):
    found = [difference_interval(first, second, confidence) for confidence in CONFIDENCES]
    return [[one.low for one in found], [one.high for one in found]]


def _binomial(runs, chance):
    return stats.binom.pmf(np.arange(runs + 1), runs, chance)


@pytest.mark.parametrize("concentration", [0.3, 4.0, 200.0])
def test_no_end_errs_more_often_than_its_tail_where_runs_end_between(concentration):
    """Runs of two sizes spread unequally, and one size of the first has lost two of its five runs."""
    generator = np.random.default_rng(5)
    worlds, means = 60, (0.9, 0.5, 0.3, 0.05)
    true = (means[0] + means[1] - means[2] - means[3]) / 2
    missed = np.zeros((2, len(CONFIDENCES)))
    for _ in range(worlds):
        a, b, c, d = (
            generator.beta(m * spread, (1 - m) * spread, 5)
            for m, spread in zip(means, (0.3, concentration, 50.0, concentration), strict=True)
        )
        a[:2] = np.nan
        first, second = groups(a, b), groups(c, d)
        for index, confidence in enumerate(CONFIDENCES):
            found = difference_interval(first, second, confidence)
            missed[:, index] += found.low > true, found.high < true
    # One such test in a thousand would fail by chance.
    assert (missed <= stats.binom.ppf(0.999, worlds, TAILS)).all()
