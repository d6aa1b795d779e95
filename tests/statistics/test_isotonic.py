"""Isotonic regression by the max–min formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from grokbench.statistics.isotonic import block_levels, isotonic

points = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=12)


@given(points)
def test_without_a_band_the_fit_is_that_of_weighted_least_squares(values_and_weights):
    values, weights = np.array(values_and_weights).T
    fit = isotonic(block_levels(values, weights, band=0.0))
    assert isotonic_regression(values, weights=weights).x.tolist() == pytest.approx(fit.tolist())


@given(points, st.floats(0, 1))
def test_the_fit_rises_and_what_rises_already_costs_nothing(values_and_weights, band):
    values, weights = np.array(values_and_weights).T
    assert (np.diff(isotonic(block_levels(values, weights, band))) >= -1e-9).all()
    rising = np.sort(values)
    fit = isotonic(block_levels(rising, weights, band))
    assert rising.tolist() == pytest.approx(np.clip(rising, fit - band, fit).tolist())
