"""Kendall's tau for interval-censored values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grokbench.statistics.kendall import Tau, kendall_tau

INF = np.inf

brackets = st.lists(
    st.tuples(st.sampled_from([0.0, 350, 450]), st.sampled_from([450.0, 550, INF])),
    min_size=2,
    max_size=6,
)


def tau(*ends):
    return kendall_tau(*np.array(ends, float).T)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8, unique=True))
def test_values_known_exactly_have_the_textbook_tau(values):
    expected = stats.kendalltau(range(len(values)), values).statistic
    assert pytest.approx(expected) == tau(*((value, value) for value in values)).value


def test_a_pair_whose_brackets_overlap_is_compared_and_neither_rises_nor_falls():
    assert Tau(0.0, 1) == tau((300, 500), (400, 600))
    assert Tau(1 / 3, 3) == tau((300, 500), (400, 600), (500, 550))


def test_a_pair_beyond_the_same_end_is_not_compared():
    assert tau((0, 350), (0, 450)) is None
    assert tau((650, INF), (550, INF)) is None
    assert Tau(-1.0, 1) == tau((650, INF), (0, 350))


def test_a_value_of_which_nothing_is_known_is_not_compared():
    assert Tau(1.0, 1) == tau((300, 350), (np.nan, np.nan), (400, 450))


@given(brackets)
def test_reversing_the_order_changes_the_sign(ends):
    forward, backward = tau(*ends), tau(*reversed(ends))
    assert (forward is None) == (backward is None)
    if forward and backward:
        assert forward == Tau(-backward.value, backward.pairs)
