"""Permutation tests: p values, their correction, and the smallest gap that would be significant."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from grokbench.statistics.permutation import (
    ENOUGH,
    SPREAD,
    Unit,
    corrected,
    labellings,
    smallest_p,
    visible_gap,
)

LEVEL = 0.05


def unit(*, runs: tuple[int, int] = (5, 5), readings: int = 4, seed: int = 0) -> Unit:
    random = np.random.default_rng(seed)
    return Unit(random.normal(size=(runs[0], readings)), random.normal(size=(runs[1], readings)))


def apart(gap: float, runs: int = 5) -> Unit:
    """Two groups of one reading; their means differ by `gap` standard deviations within the groups."""
    values = stats.zscore(np.arange(runs, dtype=float), ddof=1)[:, None]
    return Unit(values, values + gap)


READINGS = st.lists(
    st.integers(-500, 500).map(lambda hundredths: hundredths / 100), min_size=4, max_size=4
)


@settings(max_examples=20)
@given(READINGS, READINGS)
def test_a_p_value_is_the_share_of_relabellings_that_lie_as_far_apart(
    first: list[float], second: list[float]
) -> None:
    runs = np.array(first + second)

    def distance(chosen: tuple[int, ...]) -> float:
        others = [i for i in range(8) if i not in chosen]
        one, other = runs[list(chosen)], runs[others]
        within = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
        return float(abs(one.mean() - other.mean()) / np.sqrt(within + 8 * SPREAD**2))

    distances = np.array([distance(chosen) for chosen in combinations(range(8), 4)])
    observed = Unit(np.array(first)[:, None], np.array(second)[:, None]).p_values[0]
    tie = 1e-3 * (1 + distances[0])
    least, most = (np.mean(distances - distances[0] >= by) for by in (tie, -tie))
    assert least <= observed <= most


def test_all_relabellings_are_gone_through_where_they_are_few_and_drawn_where_they_are_many() -> (
    None
):
    assert (252, 10) == labellings(5, 5).shape
    assert (12_870, 16) == labellings(8, 8).shape
    assert (ENOUGH + 1, 22) == labellings(11, 11).shape
    assert [[True] * 11 + [False] * 11] == labellings(11, 11)[:1].tolist()


@pytest.mark.parametrize(("first", "second"), [(3, 3), (5, 5), (4, 6), (8, 8)])
def test_no_groups_have_a_smaller_p_than_those_that_lie_wholly_apart(
    first: int, second: int
) -> None:
    low, high = np.zeros((first, 1)), np.ones((second, 1))
    assert pytest.approx(smallest_p(first, second)) == Unit(low, high).p_values[0]


def test_false_alarms_among_many_units_are_as_rare_as_the_level() -> None:
    """200 experiments of 6 units with 4 readings: at most 5 % alarms, and 3 % more by chance."""
    alarms = 0
    for trial in range(200):
        units = [unit(seed=100 * trial + index) for index in range(6)]
        alarms += any(bool((p <= LEVEL).any()) for p in corrected(units, LEVEL))
    assert alarms <= 16


def test_a_clean_gap_at_five_seeds_stands_out_among_hundreds_of_readings() -> None:
    """With ranks none could be significant: 5 against 5 have no p value below 2/252 = 0.008."""
    units = [unit(readings=20, seed=seed) for seed in range(10)]
    units.append(apart(40))
    p_values = corrected(units, LEVEL)
    assert p_values[-1][0] <= LEVEL
    assert all(bool((p > LEVEL).all()) for p in p_values[:-1])


def test_groups_too_small_to_be_told_apart_cost_the_others_nothing() -> None:
    several = [unit(seed=seed) for seed in range(3)]
    with_small = [*several, *(unit(runs=(3, 3), seed=seed) for seed in range(50, 70))]
    expected = corrected(several, LEVEL)
    observed = corrected([*(unit(seed=seed) for seed in range(3)), *with_small[3:]], LEVEL)
    for one, other in zip(expected, observed, strict=False):
        assert one.tolist() == other.tolist()


def test_what_is_said_to_be_visible_is_told_apart_and_what_is_a_little_closer_is_not() -> None:
    def others() -> list[Unit]:
        return [unit(readings=10, seed=seed) for seed in range(4)]

    before = others()
    corrected(before, LEVEL)
    gap = visible_gap(before, 5, 5, LEVEL)
    assert corrected([*others(), apart(1.02 * gap)], LEVEL)[-1][0] <= LEVEL
    assert corrected([*others(), apart(0.8 * gap)], LEVEL)[-1][0] > LEVEL
    assert np.inf == visible_gap(before, 3, 3, LEVEL)


def test_readings_that_a_run_lacks_are_left_out() -> None:
    first, second = np.array([[1.0], [2.0], [np.nan], [1.5]]), np.array([[9.0], [8.0], [9.5]])
    whole = Unit(np.delete(first, 2, axis=0), second)
    assert pytest.approx(0.1) == whole.p_values[0]
    assert np.isfinite(Unit(first, second).observed[0])
    assert 0 == Unit(np.full((4, 1), np.nan), second).observed[0]
