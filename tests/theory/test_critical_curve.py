"""The critical curve, fitted to interval-censored critical data sizes."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.theory.critical_curve import (
    CriticalBrackets,
    CriticalCurve,
    critical_brackets,
    critical_curve,
)
from tests.phenomena.worlds import NOT_RUN, ending_at, world

SIZES = (8, 16, 32, 64)
DATA_SIZES = tuple(round(100 * 2 ** (i / 8)) for i in range(33))


def experiment(slope=-0.5, level=400.0, spread=0.02, lost=()):
    """The critical data size is `level` at size 16, with a slope in doublings; seeds differ."""

    def run(size: int, data_size: int, seed: int):
        if seed in lost:
            return NOT_RUN
        critical = level * (size / 16) ** slope * (1 + spread * (seed - 2))
        return ending_at(1.0 if data_size >= critical else 0.1)

    return world(run, sizes=SIZES, data_sizes=DATA_SIZES)


def fitted(dataset, **options) -> CriticalCurve:
    return critical_curve(critical_brackets(dataset, 0.9), **options)


def height(curve: CriticalCurve, size: float) -> float:
    return float(np.exp2(curve.at(np.log2([100.0 * size])).estimate[0]))


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.3])
def test_a_power_law_is_recovered_within_the_grid_of_data_sizes(slope):
    curve = fitted(experiment(slope))
    assert pytest.approx(slope, abs=0.05) == curve.slopes.estimate
    assert pytest.approx(400, rel=0.05) == height(curve, 16)


def test_the_standard_error_covers_the_error_of_the_grid_where_seeds_agree():
    """A grid of 2^(1/8): all seeds share one bracket, and cannot show that it has a width."""
    curve = fitted(experiment(spread=0.0))
    heights = curve.at(np.log2([1600.0]))
    assert pytest.approx(np.zeros((5, 1)), abs=1e-4) == heights.left_out - heights.estimate
    assert 1 / 8 / np.sqrt(12) / 4 < heights.standard_error[0] < 1 / 8 / np.sqrt(12)


def test_a_size_left_out_of_the_fit_does_not_move_the_curve():
    odd = experiment()
    odd["mirror_free_accuracy"].loc[{"model_size": 64}] = 0.0
    without = np.array([False, False, False, True])
    expected = fitted(experiment(), without=without)
    found = fitted(odd, without=without)
    # The middle of the data sizes is the prior's, and the same.
    assert expected.levels.rows.tolist() == found.levels.rows.tolist()
    assert np.log2(3200) == found.largest


def test_a_seed_none_of_whose_runs_finished_is_no_seed():
    curve = fitted(experiment(lost={0}))
    assert [1, 2, 3, 4] == curve.seeds.tolist()
    assert 4 == curve.levels.seeds


def test_one_model_size_makes_no_curve():
    with pytest.raises(NotEnoughDataError, match=r"two model sizes or more.*, not 1"):
        fitted(experiment().sel(model_size=[8]))


def test_where_no_size_generalizes_the_curve_lies_above_the_data_sizes():
    assert height(fitted(experiment(level=1e6)), 16) > max(DATA_SIZES)


def test_a_size_whose_seeds_agree_keeps_its_rounding_error_where_other_sizes_differ():
    """Brackets 0.5 wide; the seeds of the first of three sizes share one."""
    upper = np.array([[9.0, 9.0, 9.0, 9.0], [8.0, 8.5, 9.5, 9.0], [7.5, 8.5, 8.0, 9.0]])
    brackets = CriticalBrackets(np.array([10.0, 12.0, 14.0]), np.arange(4), upper - 0.5, upper, 8.5)
    assert [True, False, False] == brackets.agree.tolist()
    assert 3 == brackets.measured
    pooled, own = critical_curve(brackets), critical_curve(brackets, agreement=True)
    at = np.array([10.0])
    assert own.at(at).estimate == pooled.at(at).estimate
    assert own.at(at).standard_error > 1.2 * pooled.at(at).standard_error
    assert pytest.approx(pooled.at(at).moved[1:]) == own.at(at).moved[1:]


def test_brackets_that_are_open_at_one_end_measure_nothing():
    upper = np.array([[np.inf, np.inf], [np.inf, 9.0]])
    lower = np.array([[9.5, 9.5], [9.5, 8.5]])
    brackets = CriticalBrackets(np.array([10.0, 12.0]), np.arange(2), lower, upper, 8.5)
    assert 1 == brackets.measured
    assert not brackets.agree.any()
