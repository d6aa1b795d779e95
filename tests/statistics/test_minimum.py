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


def test_the_bound_of_three_values_against_three_is_the_largest():
    assert 2.0 == minimum_upper_bound(np.arange(3.0), 3, 0.95)


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0.8, 0.999))
def test_its_rank_is_the_first_that_is_improbable_by_the_hypergeometric_distribution(
    number, others, confidence
):
    """`number` values are drawn from all; the probability that the r smallest are among them."""
    rank = int(minimum_upper_bound(np.arange(float(number)), others, confidence)) + 1
    improbable = [
        r
        for r in range(1, number)
        if stats.hypergeom(number + others, r, number).pmf(r) <= (1 - confidence) / 2
    ]
    assert (improbable or [number])[0] == rank


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_the_order_of_values_does_not_matter(order):
    """The third of four against four: three are first with probability 5/70, two with 15/70."""
    values = np.array([8.0, 9.0, 10.0, 11.0])[order]
    assert 10.0 == minimum_upper_bound(values, 4, 0.8)
