"""Locations and slopes of values that are known to lie in brackets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scipy import optimize, stats

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.censored_times import Brackets, Estimate, Median, location, slope
from grokbench.statistics.intervals import t_interval

GENERATOR = np.random.default_rng


def rounded(values: np.ndarray, width: float, last: float = math.inf) -> Brackets:
    """Values that are known up to a width, and not beyond the last one."""
    lower = np.floor(values / width) * width
    late = values > last
    return Brackets(np.where(late, last, lower), np.where(late, np.inf, lower + width))


def test_without_censoring_the_interval_is_about_students():
    for seed in range(5):
        values = GENERATOR(seed).normal(2.0, 0.3, 12)
        found, wanted = location(rounded(values, 1e-4)).interval(0.95), t_interval(values)
        assert pytest.approx(wanted.estimate, abs=0.06) == found.estimate
        assert pytest.approx(wanted.high - wanted.low, rel=0.3) == found.high - found.low


def test_the_location_is_that_of_a_numerical_maximum():
    values = GENERATOR(1).logistic(1.0, 0.2, 15)
    brackets = rounded(values, 0.1, last=1.2)

    def lacking(parameters: np.ndarray) -> float:
        level, scale = parameters[0], math.exp(parameters[1])
        above, below = (
            stats.logistic.cdf((end - level) / scale) for end in (brackets.upper, brackets.lower)
        )
        return -float(np.log(above - below).sum())

    best = optimize.minimize(lacking, [1.0, -1.5], method="Nelder-Mead")
    assert pytest.approx(best.x[0], abs=0.01) == location(brackets).estimate


def test_a_censored_value_raises_the_location_above_that_of_its_bound():
    values = np.array([1.0, 1.1, 1.2, 1.3, 2.0])
    dropped = location(rounded(values[:-1], 0.01)).estimate
    kept = location(rounded(values, 0.01, last=1.5)).estimate
    assert kept > dropped + 0.02


def test_where_all_values_are_censored_the_interval_has_one_end():
    """Six of six above 1: the sign test bounds the median at 95 %, and with five it does not."""
    for count, low in ((6, 1.0), (5, -math.inf)):
        found = location(Brackets(np.ones(count), np.full(count, np.inf)))
        assert isinstance(found, Median)
        interval = found.interval(0.95)
        assert (low, math.inf) == (interval.low, interval.high)
        assert 1.0 == interval.estimate
    late = location(Brackets(np.full(6, -np.inf), np.zeros(6))).interval(0.95)
    assert (-math.inf, 0.0, 0.0) == (late.low, late.estimate, late.high)


def test_values_of_one_bracket_have_its_middle_and_an_interval_about_it():
    found = location(Brackets(np.zeros(5), np.ones(5))).interval(0.95)
    assert pytest.approx(0.5, abs=0.01) == found.estimate
    assert found.low < 0
    assert found.high > 1


def test_a_slope_keeps_the_values_that_are_censored():
    """Slope -1; at the smallest x most values are censored, and without them the slope is too flat."""
    x = np.repeat([-1.0, 0.0, 1.0], 8)
    values = -x + GENERATOR(2).normal(0, 0.15, 24)
    brackets = rounded(values, 0.05, last=0.95)
    interval = slope(x, brackets).interval(0.95)
    assert interval.low < -1 < interval.high
    known = brackets.known
    least_squares = np.polyfit(x[known], brackets.middles[known], 1)[0]
    assert abs(interval.estimate + 1) < abs(least_squares + 1)


def test_a_slope_has_no_end_where_a_whole_place_is_censored():
    """At x = 1 everything lies above 2: the slope is at least that to the bound."""
    x = np.repeat([0.0, 1.0], 6)
    values = np.concatenate([np.linspace(-0.1, 0.1, 6), np.full(6, 9.0)])
    interval = slope(x, rounded(values, 0.01, last=2.0)).interval(0.95)
    assert math.inf == interval.high
    assert 1.5 < interval.low < 2.05


@pytest.mark.parametrize("last", [math.inf, 0.3, 0.0])
def test_ends_err_about_as_often_as_they_say(last):
    """200 samples of 8 normal values, median 0: at most 14 of 200 is a binomial bound for 2.5 %."""
    generator = GENERATOR(3)
    wrong = np.zeros(2, int)
    for _ in range(200):
        interval = location(rounded(generator.normal(size=8), 0.02, last)).interval(0.95)
        wrong += [interval.low > 0, interval.high < 0]
    assert (wrong <= 14).all()


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=9), st.floats(0.5, 0.99), st.integers(0, 9))
@effort(max_examples=25, deadline=None)
def test_higher_confidence_order_and_shifts(values, confidence, seed):
    """A higher confidence contains a lower one, the order does not matter, a shift shifts."""
    brackets = rounded(np.array(values), 0.1, last=1.0)
    found = location(brackets)
    narrow, wide = found.interval(confidence), found.interval((1 + confidence) / 2)
    assert wide.low <= narrow.low <= narrow.estimate <= narrow.high <= wide.high
    order = GENERATOR(seed).permutation(len(values))
    again = location(Brackets(brackets.lower[order] + 2, brackets.upper[order] + 2))
    shifted = again.interval(confidence)
    expected = (narrow.low + 2, narrow.estimate + 2, narrow.high + 2)
    assert np.allclose(expected, (shifted.low, shifted.estimate, shifted.high), atol=1e-6)


def test_too_few_values_say_nothing():
    nothing = Brackets(np.full(5, -np.inf), np.full(5, np.inf))
    with pytest.raises(NotEnoughDataError, match="two values of which something is known, not 0"):
        location(nothing)
    one = rounded(np.array([1.0, 2.0, 3.0]), 0.1, last=1.5)
    with pytest.raises(NotEnoughDataError, match="1 of them known from both sides"):
        slope(np.array([0.0, 1.0, 2.0]), one)
    with pytest.raises(NotEnoughDataError, match="at 1 places"):
        slope(np.ones(3), rounded(np.array([1.0, 2.0, 3.0]), 0.1))
    assert isinstance(location(rounded(np.array([1.0, 2.0, 3.0]), 0.1)), Estimate)
