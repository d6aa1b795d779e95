"""Intervals over seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import share_interval, t_interval, welch_interval

values = st.lists(st.floats(-10, 10), min_size=2, max_size=12).map(np.array)


def test_five_of_five_seeds_is_an_interval_from_forty_eight_percent():
    interval = share_interval(1.0, 5)
    assert (1.0, 0.48, 1.0) == (interval.estimate, round(interval.low, 2), interval.high)


@given(st.integers(1, 30), st.floats(0.8, 0.9999), st.data())
def test_a_share_s_interval_is_the_textbook_one(trials, confidence, data):
    shown = data.draw(st.integers(0, trials))
    expected = stats.binomtest(shown, trials).proportion_ci(confidence, method="exact")
    interval = share_interval(shown / trials, trials, confidence)
    assert pytest.approx((expected.low, expected.high)) == (interval.low, interval.high)


def test_a_t_interval_is_the_textbook_one():
    sample = np.array([0.1, 0.4, 0.2, 0.5, 0.3])
    expected = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    interval = t_interval(sample)
    assert pytest.approx((expected.low, expected.high)) == (interval.low, interval.high)


def test_a_welch_interval_is_the_textbook_one():
    first, second = np.array([0.1, 0.4, 0.2, 0.5]), np.array([1.0, 3.0, 2.0, 2.5, 0.0])
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    interval = welch_interval(first, second)
    assert pytest.approx((expected.low, expected.high)) == (interval.low, interval.high)


@given(values)
def test_an_estimate_lies_within_its_interval(sample):
    for interval in (t_interval(sample), welch_interval(sample, sample[::-1])):
        assert interval.low <= interval.estimate <= interval.high


@given(st.integers(1, 50).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_stays_between_zero_and_one_and_is_never_certain(counts):
    shown, trials = counts
    interval = share_interval(shown / trials, trials)
    assert 0 <= interval.low <= shown / trials <= interval.high <= 1
    assert interval.high - interval.low > 0


@given(values, st.floats(0.951, 0.9999))
def test_an_interval_of_higher_confidence_contains_one_of_lower(sample, confidence):
    for kind in (
        lambda level: t_interval(sample, level),
        lambda level: welch_interval(sample, sample[::-1] + 1, level),
        lambda level: share_interval(0.4, len(sample), level),
    ):
        wide, narrow = kind(confidence), kind(0.95)
        assert wide.low <= narrow.low <= narrow.high <= wide.high


@pytest.mark.parametrize("sample", [[], [0.3]])
def test_one_seed_has_no_interval(sample):
    with pytest.raises(NotEnoughDataError, match="at least 2"):
        t_interval(np.array(sample))
