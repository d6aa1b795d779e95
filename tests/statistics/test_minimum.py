"""An upper confidence bound for a group's minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grokbench.statistics.minimum import minimum_upper_bound


def test_the_bound_of_many_values_is_not_their_largest():
    """The smallest five of eleven and eleven are all of the first group with probability 0.0175."""
    values = np.arange(11.0)
    assert 4.0 == minimum_upper_bound(values, 11, 0.95)
    assert 5.0 == minimum_upper_bound(values, 11, 0.975)


def test_three_values_against_three_have_a_bound_up_to_a_confidence_of_90_percent():
    """All three come first in 1 of 20 orders: a tail of 5 %, and no smaller one."""
    assert 2.0 == minimum_upper_bound(np.arange(3.0), 3, 0.9)
    assert np.inf == minimum_upper_bound(np.arange(3.0), 3, 0.901)
    assert np.inf == minimum_upper_bound(np.arange(3.0), 3, 0.95)


@pytest.mark.parametrize(("values", "others"), [(8, 3), (3, 8)])
def test_three_values_against_eight_have_no_bound_for_the_first_of_14_claims(values, others):
    """One order in 165 is a tail of 0.6 %, where 0.05/14/2 = 0.18 % is needed."""
    assert np.isfinite(minimum_upper_bound(np.arange(float(values)), others, 0.987))
    assert np.inf == minimum_upper_bound(np.arange(float(values)), others, 1 - 0.05 / 14)


@pytest.mark.parametrize(("number", "others"), [(3, 3), (4, 4), (5, 8), (8, 5)])
def test_the_bound_lies_below_the_other_minimum_as_seldom_as_its_confidence_says(number, others):
    """In 4000 samples of one distribution, at a confidence that decides and at 90 %."""
    generator = np.random.default_rng(1)
    samples = generator.exponential(size=(4000, number + others))
    for confidence in (0.9, 0.95, 0.9964):
        missed = sum(
            minimum_upper_bound(one[:number], others, confidence) < one[number:].min()
            for one in samples
        )
        tail = (1 - confidence) / 2
        assert missed <= 4000 * tail + 4 * np.sqrt(4000 * tail)


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0.8, 0.999))
def test_its_rank_is_the_first_that_is_improbable_by_the_hypergeometric_distribution(
    number, others, confidence
):
    """`number` values are drawn from all; the probability that the r smallest are among them."""
    improbable = [
        r
        for r in range(1, number + 1)
        if stats.hypergeom(number + others, r, number).pmf(r) <= (1 - confidence) / 2 + 1e-9
    ]
    bound = minimum_upper_bound(np.arange(1.0, number + 1), others, confidence)
    assert (improbable or [np.inf])[0] == bound


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_the_order_of_values_does_not_matter(order):
    """The third of four against four: three are first with probability 5/70, two with 15/70."""
    values = np.array([8.0, 9.0, 10.0, 11.0])[order]
    assert 10.0 == minimum_upper_bound(values, 4, 0.8)
