"""Regression of interval-censored values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from grokbench.statistics.interval_regression import (
    IntervalRegression,
    Prior,
    rounding_deviation,
)

PRIOR = Prior(level=3.0, level_deviation=2.0, slope_deviation=1.0)
X = np.array([-1.0, -1.0, 0.0, 0.0, 1.0, 1.0])


def regression(lower, upper, prior=PRIOR) -> IntervalRegression:
    return IntervalRegression(X, np.array(lower, float), np.array(upper, float), prior)


def fitted(one: IntervalRegression, scale=0.3, weights=None, shifts=None):
    nothing = np.zeros((1, len(X)))
    weights = nothing + 1 if weights is None else weights
    levels, slopes = one.fit(scale, weights, nothing if shifts is None else shifts)
    return levels.item(0), slopes.item(0)


ends = st.lists(st.floats(0, 6), min_size=6, max_size=6)
widths = st.lists(st.one_of(st.floats(0.1, 2), st.just(np.inf)), min_size=6, max_size=6)


@given(ends, widths)
def test_the_fit_is_the_maximum_that_a_general_optimizer_finds(lower, width):
    one = regression(lower, np.array(lower) + width)
    best = optimize.minimize(
        lambda line: -one.log_posterior(1.0, line[:1], line[1:]),
        [3.0, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10, "initial_simplex": [[3, 0], [4, 0], [3, 1]]},
    )
    assert pytest.approx(best.x, abs=1e-4) == list(fitted(one, scale=1.0))


def test_narrow_intervals_on_a_line_give_that_line():
    weak = Prior(level=3.0, level_deviation=1e3, slope_deviation=1e3)
    y = 2.0 - 0.5 * X
    assert pytest.approx((2.0, -0.5), abs=1e-4) == fitted(regression(y - 0.01, y + 0.01, weak))


def test_where_all_intervals_are_open_at_the_same_end_the_prior_decides_the_slope():
    level, slope = fitted(regression([6.0] * 6, [np.inf] * 6))
    assert level > 3
    assert pytest.approx(0.0) == slope


def test_a_weight_of_zero_leaves_a_value_out():
    lower, upper = [4, 2, 2, 2, 1, 1], [5, 3, 3, 3, 2, 2]
    weights = np.array([[0.0, 1, 1, 1, 1, 1]])
    moved = regression([-9, *lower[1:]], [-8, *upper[1:]])
    assert fitted(regression(lower, upper), weights=weights) == fitted(moved, weights=weights)


def test_shifting_all_intervals_is_fitting_shifted_intervals():
    lower, upper = np.array([4.0, 2, 2, 2, 1, 1]), np.array([5.0, 3, 3, 3, 2, 2])
    shifted = fitted(regression(lower, upper), shifts=np.full((1, 6), 0.25))
    assert pytest.approx(fitted(regression(lower + 0.25, upper + 0.25))) == shifted


def test_values_that_spread_have_a_larger_scale_than_values_that_agree():
    agreed = regression([2.0] * 6, [2.5] * 6)
    spread = regression([1, 3, 1, 3, 1, 3], [1.5, 3.5, 1.5, 3.5, 1.5, 3.5])
    assert agreed.likeliest_scale(0.5)[0] < spread.likeliest_scale(0.5)[0]


def test_a_line_is_fitted_with_a_quarter_of_the_intervals_width_at_least():
    scale, fitted_with = regression([2.0] * 6, [2.5] * 6).likeliest_scale(0.5)
    assert (0.125, True) == (fitted_with, scale < fitted_with)


def test_the_error_of_rounding_is_uniform_where_all_values_share_an_interval():
    generator = np.random.default_rng(0)
    assert pytest.approx(generator.uniform(0, 3, 100_000).std(), rel=0.01) == rounding_deviation(
        3.0, scale=1e-6, typical_width=3.0
    )


def test_the_error_of_rounding_averages_out_where_values_spread():
    few, many = (rounding_deviation(1.0, scale, 1.0).item() for scale in (0.2, 1.0))
    assert few > 1e6 * many > 0
