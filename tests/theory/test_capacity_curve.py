"""The capacity curve, measured on random labels."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.theory.capacity_curve import CapacityCurve, capacity_curve
from grokbench.theory.mirrors import Pairs
from tests.phenomena.worlds import NOT_RUN, memorizing_random_labels, world

LABELS = 1000
NO_MIRRORS = Pairs(None)


def curve(accuracies, unfinished=()) -> CapacityCurve:
    """For model sizes 8, 16, … of 100 parameters a unit, with these accuracies; chance is zero."""
    sizes = [8 * 2**i for i in range(len(accuracies))]

    def run(size: int, _: int, seed: int):
        if (size, seed) in unfinished:
            return NOT_RUN
        return memorizing_random_labels(accuracies[sizes.index(size)] * (1 + 0.01 * (seed - 2)))

    dataset = world(run, sizes=sizes, data_sizes=(LABELS,))
    return capacity_curve(dataset, NO_MIRRORS, saturated_at=0.95)


def held(found: CapacityCurve, size: float) -> float:
    return float(np.exp2(found.at(np.log2([100.0 * size]), NO_MIRRORS).estimate[0]))


def test_it_goes_through_the_means_and_on_as_the_power_law_that_fits_best():
    found = curve([0.1, 0.2, 0.4])
    assert pytest.approx([100, 200, 400], rel=1e-6) == [held(found, size) for size in (8, 16, 32)]
    assert pytest.approx([25, 1600], rel=1e-6) == [held(found, size) for size in (2, 128)]


def test_means_that_fall_are_made_level():
    found = curve([0.1, 0.4, 0.2, 0.6])
    assert pytest.approx([np.sqrt(400 * 200)] * 2) == [held(found, size) for size in (16, 32)]


def test_capacities_that_fall_throughout_go_on_level():
    found = curve([0.4, 0.2, 0.1])
    assert 0.0 == found.slopes.estimate
    assert pytest.approx(held(found, 8)) == held(found, 1000)


def test_of_the_saturated_sizes_only_the_smallest_counts():
    found = curve([0.1, 0.2, 0.98, 0.98, 0.98])
    assert [False, False, True] == found.saturated.tolist()
    assert pytest.approx(np.log2([800, 1600, 3200])) == found.sizes


def test_there_is_a_replicate_without_each_seed():
    found = curve([0.1, 0.2])
    assert (5, 5, 0) == (found.seeds, len(found.labels.left_out), len(found.labels.moved))
    # Without seed 0, whose accuracy is 2 % less, the mean of the others is 0.5 % more.
    assert pytest.approx(np.log2([100.5, 201.0]), rel=1e-5) == found.labels.left_out[0]


def test_a_size_with_finished_runs_of_one_seed_is_left_out():
    found = curve([0.1, 0.2, 0.4], unfinished={(16, seed) for seed in range(4)})
    assert pytest.approx(np.log2([800, 3200])) == found.sizes


def test_sizes_that_are_all_saturated_make_no_curve():
    with pytest.raises(NotEnoughDataError, match="the number of such sizes is 1"):
        curve([0.98, 0.98, 0.98])
