"""The jackknife over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.statistics.intervals import t_interval, welch_interval
from grokbench.statistics.jackknife import Jackknife, Replicates, means_over_seeds

NONE = np.zeros(0)
samples = st.lists(st.floats(-10, 10), min_size=2, max_size=12).map(np.array)


def of_mean(values: np.ndarray, moved: np.ndarray = NONE) -> Replicates:
    """The mean of values, and without each."""
    left_out = np.array([np.delete(values, i).mean() for i in range(len(values))])
    return Replicates(np.asarray(values.mean()), left_out, moved)


@given(samples)
def test_the_jackknife_of_a_mean_has_student_s_interval(values):
    expected, found = t_interval(values), Jackknife.of(of_mean(values)).interval(0.95)
    assert pytest.approx((expected.low, expected.high), abs=1e-6) == (found.low, found.high)


def test_the_jackknife_of_a_difference_of_means_has_welch_s_interval():
    first, second = np.array([0.1, 0.4, 0.2, 0.5]), np.array([1.0, 3.0, 2.0, 2.5, 0.0])
    replicates = (
        of_mean(first).map(lambda mean: mean - second.mean()),
        of_mean(second).map(lambda mean: first.mean() - mean),
    )
    expected, found = welch_interval(first, second), Jackknife.of(*replicates).interval(0.95)
    assert pytest.approx((expected.low, expected.high)) == (found.low, found.high)


def test_a_rounding_error_adds_its_square_to_the_variance_and_nothing_to_its_uncertainty():
    values = np.array([1.0, 2.0, 3.0])
    plain, rounded = (
        Jackknife.of(of_mean(values, moved)) for moved in (NONE, np.array([2.5, 1.0]))
    )
    assert pytest.approx(plain.variance + 0.5**2 + 1.0**2) == rounded.variance
    assert 2 == plain.freedom
    assert rounded.freedom > 2


def test_seeds_that_agree_have_no_variance_and_rounding_alone_has_infinite_freedom():
    agreed = Jackknife.of(of_mean(np.ones(3), np.array([1.5])))
    assert (0.25, math.inf) == (agreed.variance, agreed.freedom)


@pytest.mark.parametrize(("replicate", "end"), [(-np.inf, "low"), (np.inf, "high")])
def test_an_infinite_replicate_opens_one_end(replicate, end):
    left_out = np.array([0.9, 1.1, replicate])
    interval = Jackknife(1.0, [left_out], NONE).interval(0.95)
    open_end, other = (getattr(interval, name) for name in (end, {"low": "high"}.get(end, "low")))
    assert replicate == open_end
    assert math.isfinite(other)


def test_infinite_replicates_give_no_degree_of_freedom():
    """Three finite replicates have 2 degrees of freedom, as three seeds have."""
    finite = np.array([1.0, 2.0, 3.0])
    some = Jackknife(2.0, [np.append(finite, np.inf)], NONE).interval(0.99)
    all_finite = Jackknife(2.0, [finite], NONE).interval(0.99)
    assert all_finite.low == some.low
    assert np.inf == some.high


def test_one_finite_replicate_beside_infinite_ones_bounds_nothing():
    found = Jackknife(2.0, [np.array([1.0, np.inf, np.inf])], NONE).interval(0.9)
    assert (-np.inf, np.inf) == (found.low, found.high)


def test_an_array_has_the_standard_errors_of_its_numbers():
    values = np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]])
    error = means_over_seeds(values).standard_error
    assert pytest.approx([values[0].std(ddof=1) / np.sqrt(3), 0.0]) == error


def test_means_over_seeds_leave_out_unknown_values():
    means = means_over_seeds(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 7.0]]))
    assert [2.0, 7.0] == means.estimate.tolist()
    assert [[3.0, 7.0], [2.0, 7.0]] == means.left_out[:2].tolist()
    assert 1.0 == means.left_out[2, 0]
    assert np.isnan(means.left_out[2, 1])


def test_rows_are_the_estimate_then_seeds_then_rounding_errors():
    rows = np.arange(10.0).reshape(5, 2)
    replicates = Replicates.from_rows(rows, seeds=3)
    assert (3, [0.0, 1.0], [[8.0, 9.0]]) == (
        replicates.seeds,
        replicates.estimate.tolist(),
        replicates.moved.tolist(),
    )
    assert rows.tolist() == replicates.rows.tolist()


def test_a_function_is_applied_to_corresponding_replicates():
    first = Replicates.from_rows(np.arange(5.0), seeds=3)
    total = first.map(lambda one, other: one + 10 * other, first)
    assert (11 * np.arange(5.0)).tolist() == total.rows.tolist()
    assert (5, 4) == first.map(lambda one: np.full(4, one)).rows.shape
