"""The nearest curves that dip at most, or at least, by a depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.statistics.dips import Groups, MeanCurve, exact_depth
from grokbench.statistics.nearest_curves import nearest_with_dip, nearest_without_dip

levels = st.lists(st.floats(0, 1), min_size=3, max_size=12).map(np.array)


@given(levels, st.floats(0, 1))
def test_the_nearest_curve_without_such_a_dip_has_none_and_is_the_curve_where_that_has_none(
    means, deepest_allowed
):
    fit = least_dip(means, deepest_allowed)
    assert depth(fit) <= deepest_allowed + 1e-9
    if depth(means) <= deepest_allowed:
        assert means.tolist() == pytest.approx(fit.tolist(), abs=1e-9)


@given(levels, st.floats(0, 1), st.data())
def test_no_curve_without_such_a_dip_is_nearer(means, deepest_allowed, data):
    """A curve that lies at most the depth below one that rises and then falls has no such dip."""
    above = np.sort(data.draw(st.lists(st.floats(0, 1.5), min_size=12, max_size=12)))
    split = data.draw(st.integers(0, len(means)))
    above = np.concatenate([above[:split], above[split : len(means)][::-1]])
    other = np.clip(means, above - deepest_allowed, above)
    fit = least_dip(means, deepest_allowed)
    assert ((fit - means) ** 2).sum() <= ((other - means) ** 2).sum() + 1e-9


@given(levels, st.floats(0, 1), st.integers(2, 3))
def test_where_only_wide_dips_count_narrow_ones_may_stay(means, deepest_allowed, width):
    if len(means) < 3 * width:
        return
    fit = least_dip(means, deepest_allowed, width)
    assert depth(fit, width, 2 * width - 1) <= deepest_allowed + 1e-9
    narrow = least_dip(means, deepest_allowed)
    assert ((fit - means) ** 2).sum() <= ((narrow - means) ** 2).sum() + 1e-9


def least_dip(means, deepest_allowed, width=1):
    groups = Groups.of(len(means), width, 2 * width - 1)
    return nearest_without_dip(MeanCurve(means, np.ones(len(means))), groups, deepest_allowed)


@given(levels, st.floats(0, 1))
def test_the_nearest_curve_with_a_dip_has_it_and_is_the_curve_where_that_has_it(means, asked):
    groups = Groups.of(len(means), 1, 1)
    fit = nearest_with_dip(MeanCurve(means, np.ones(len(means))), groups, asked)
    assert depth(fit) >= asked - 1e-9
    if depth(means) >= asked:
        assert means.tolist() == pytest.approx(fit.tolist(), abs=1e-9)
    cheapest = min(cost_of_lowering(means, bottom, asked) for bottom in range(1, len(means) - 1))
    assert ((fit - means) ** 2).sum() <= cheapest + 1e-9


def cost_of_lowering(means, bottom, asked):
    """The cost of one way to make a dip: lower a single size as far as needed."""
    sides = min(means[:bottom].max(), means[bottom + 1 :].max())
    return max(0, asked - (sides - means[bottom])) ** 2


def depth(means, shortest=1, longest=1):
    """Depth of the deepest dip of a curve that is known without error."""
    return exact_depth(means, Groups.of(len(means), shortest, longest))
