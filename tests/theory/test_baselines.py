"""Predictions without the theory."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.theory.baselines import BASELINES, Known, Observed

NEAREST = "what the nearest fitted runs did"
SIZES = np.array([1.0, 2.0, 3.0, 4.0])


def observed(rows, sizes=SIZES) -> Observed:
    """One row a model size, with the dynamic of the only seed at each data size."""
    dynamics = np.array(rows, np.int8)[..., None]
    return Observed(dynamics, sizes, np.arange(float(dynamics.shape[1])))


def predicted(name, target, critical=None, excluded=None):
    critical = target if critical is None else critical
    if excluded is None:
        excluded = np.eye(len(target.sizes), len(critical.sizes), dtype=bool)
    return BASELINES[name](Known(target, critical, excluded)).tolist()


def test_the_most_frequent_dynamic_is_that_of_the_other_sizes_and_of_several_the_lowest():
    target = observed([[1, 1], [4, 4], [4, 2], [2, 2]])
    assert [[2, 2], [2, 2], [1, 1], [4, 4]] == predicted("the most frequent dynamic", target)


def test_at_each_data_size_only_runs_with_that_data_size_count():
    target = observed([[1, 4], [1, 4], [2, 4], [1, 3]])
    assert [[1, 4], [1, 4], [1, 4], [1, 4]] == predicted(
        "the most frequent at each data size", target
    )


def test_a_threshold_divides_small_models_from_large():
    target = observed([[1], [1], [1], [4], [4], [4]], np.array([1.0, 2, 2.5, 5, 6, 7]))
    name = "a threshold in model size for each data size"
    assert [[1], [1], [1], [4], [4], [4]] == predicted(name, target)


def test_the_nearest_size_counts_before_the_nearest_data_size():
    target = observed([[0, 0]], np.array([2.2]))
    critical = observed([[1, -1], [-1, 3], [4, 4]], np.array([1.0, 2.0, 3.0]))
    assert [[3, 3]] == predicted(NEAREST, target, critical, np.zeros((1, 3), bool))


def test_a_size_that_shares_runs_is_passed_over():
    target = observed([[0, 0]], np.array([2.0]))
    critical = observed([[1, 1], [3, 3]], np.array([1.0, 2.0]))
    assert [[1, 1]] == predicted(NEAREST, target, critical, np.array([[False, True]]))


def test_runs_that_did_not_finish_say_nothing():
    target = observed([[-1], [3]], np.array([1.0, 2.0]))
    assert [[3], [-1]] == predicted("the most frequent dynamic", target)


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_knows_what_the_size_it_predicts_did(name):
    rows = np.array([[1, 2], [4, 4], [2, 2], [4, 3]])
    for index in range(len(rows)):
        changed = rows.copy()
        changed[index] = 3
        assert predicted(name, observed(rows))[index] == predicted(name, observed(changed))[index]
