"""Confidence distributions of bounded means."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scipy import stats

from grokbench.statistics import melding
from grokbench.statistics.melding import STEPS, UNIT, bound, lower_distribution, lower_of_sum

TAILS = (0.025, 0.005, 0.001, 0.0005, 0.00005)


def successes(hits: int, runs: int) -> np.ndarray:
    """The lower distribution after so many successes."""
    return lower_distribution(np.repeat([1.0, 0.0], [hits, runs - hits]), np.ones(runs))


@pytest.mark.parametrize(("hits", "runs"), [(1, 1), (5, 5), (9, 15), (1, 40), (120, 120)])
def test_successes_have_the_distribution_of_clopper_and_pearson(hits, runs):
    exact = stats.beta.cdf(UNIT, hits, runs - hits + 1)
    seen = exact > 1e-9
    np.testing.assert_allclose(successes(hits, runs)[seen], exact[seen], rtol=1e-3)


def test_failures_alone_say_nothing_about_how_high_a_mean_is():
    assert 1.0 == successes(0, 5)[0]


def test_values_between_have_the_distribution_of_their_randomly_weighted_mean():
    generator = np.random.default_rng(3)
    values, weights = generator.random(12), np.repeat([1.0, 3.0], 6)
    drawn = generator.exponential(size=(200_000, 13)) * np.append(weights, 3.0)
    means = drawn[:, :12] @ values / drawn.sum(axis=1)
    at = np.arange(100, 400, 25)
    expected = (means[:, None] <= UNIT[at]).mean(axis=0)
    np.testing.assert_allclose(lower_distribution(values, weights)[at], expected, atol=0.004)


@pytest.mark.parametrize("values", [3, 15, 120, 720])
def test_more_nodes_change_small_probabilities_by_less_than_a_part_in_a_thousand(
    values, monkeypatch
):
    drawn = np.random.default_rng(1).beta(0.3, 0.3, values)
    few = lower_distribution(drawn, np.ones(values))
    monkeypatch.setattr(melding, "NODES", 200)
    many = lower_distribution(drawn, np.ones(values))
    small = (many > 1e-9) & (many < 0.1)
    np.testing.assert_allclose(few[small], many[small], rtol=1e-3)


@effort(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_a_distribution_is_one_whatever_the_values(values):
    found = lower_distribution(np.array(values), np.ones(len(values)))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert 1.0 == found[-1]


def test_hundreds_of_runs_are_no_more_difficult_than_five():
    values = np.linspace(0.2, 1, 720)
    found = bound(lower_distribution(values, np.ones(720)), 0.0005, 0.0)
    assert 0.6 - 4 * values.std() / 720**0.5 < found < 0.6


@pytest.mark.parametrize(("first", "second"), [(5, 5), (15, 5), (15, 15), (24, 36)])
def test_bounds_of_a_difference_of_shares_err_no_more_often_than_their_tail(first, second):
    """Exactly: all outcomes of both groups, for a grid of the two probabilities of success."""
    ones, others = ([successes(k, n) for k in range(n + 1)] for n in (first, second))
    lows = np.array(
        [
            [[bound(d, tail, -1) for tail in TAILS] for d in (lower_of_sum(a, b) for b in others)]
            for a in ones
        ]
    )
    chances = np.array([0.003, *np.linspace(0.02, 0.98, 25), 0.997])
    one, other = (stats.binom.pmf(np.arange(n + 1), n, chances[:, None]) for n in (first, second))
    true = chances[:, None] + chances - 1
    errors = np.einsum("px,qy,pqxyt->pqt", one, other, lows > true[..., None, None, None] + 1e-9)
    assert (errors.max(axis=(0, 1)) <= TAILS).all()
    # Nor much less often: a bound that never errs would be of no use.
    assert (errors.max(axis=(0, 1))[:4] >= 0.5 * np.array(TAILS[:4])).all()


def test_a_bound_is_lower_the_smaller_its_tail():
    distribution = lower_of_sum(successes(5, 5), successes(3, 5))
    bounds = [bound(distribution, tail, -1) for tail in (0.5, *TAILS, 1e-12)]
    assert (np.diff(bounds) < 0).all()


def test_a_bound_lies_between_the_tabulated_numbers():
    distribution = np.linspace(0, 1, STEPS + 1) ** 5
    assert pytest.approx(0.5, abs=1e-5) == bound(distribution, 0.5**5, 0.0)
    assert 0.0 == bound(np.ones(5), 0.025, 0.0)


@pytest.mark.parametrize(("first", "second"), [(5, 5), (5, 2), (11, 1)])
def test_bounds_of_a_mean_over_sizes_hold_whatever_the_sizes_and_their_numbers_of_runs(
    first, second
):
    """Exactly: two sizes of equal weight, for a grid of their two probabilities of success."""
    weights = np.repeat([1 / first, 1 / second], [first, second])
    lows = np.zeros((first + 1, second + 1, len(TAILS)))
    for one, other in product(range(first + 1), range(second + 1)):
        hits = np.repeat([1.0, 0.0, 1.0, 0.0], [one, first - one, other, second - other])
        lows[one, other] = [bound(lower_distribution(hits, weights), tail, 0) for tail in TAILS]
    chances = np.array([0.0, 0.03, *np.linspace(0.1, 0.9, 9), 0.97, 1.0])
    one, other = (stats.binom.pmf(np.arange(n + 1), n, chances[:, None]) for n in (first, second))
    true = (chances[:, None] + chances) / 2
    errors = np.einsum("px,qy,pqxyt->pqt", one, other, lows > true[..., None, None, None] + 1e-9)
    assert (errors.max(axis=(0, 1)) <= TAILS).all()
