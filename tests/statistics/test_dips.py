"""The deepest dip of a curve that is known without error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.statistics.dips import Groups, exact_depth

levels = st.lists(st.floats(0, 1), min_size=3, max_size=12).map(np.array)


@given(levels)
def test_the_deepest_dip_is_the_deepest_of_all_triples(means):
    size = len(means)
    depths = [
        min(means[i], means[k]) - means[j]
        for i in range(size)
        for j in range(i + 1, size)
        for k in range(j + 1, size)
    ]
    assert pytest.approx(max(depths)) == depth(means)


@given(levels, st.integers(1, 3))
def test_what_longer_groups_of_sizes_show_the_shortest_show_no_less(means, width):
    """A group of twice the width is two groups, one of which is at least as high, or as low."""
    if len(means) >= 3 * width:
        shorter, any_longer = (depth(means, width, end) for end in (2 * width - 1, len(means)))
        assert pytest.approx(any_longer) == shorter


def depth(means, shortest=1, longest=1):
    """Depth of the deepest dip of a curve that is known without error."""
    return exact_depth(means, Groups.of(len(means), shortest, longest))
