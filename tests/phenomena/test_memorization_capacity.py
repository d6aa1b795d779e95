"""Memorization capacity of random labels."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena import MemorizationCapacity
from tests.phenomena.worlds import (
    CHANCE,
    NOT_RUN,
    Run,
    memorizing_random_labels,
    shuffled,
    world,
)

PAIRS = 961


def accuracy_of(learned: float) -> float:
    """The accuracy of a model that knows `learned` examples and guesses the others."""
    known = min(learned / PAIRS, 1.0)
    return known + (1 - known) * CHANCE


def labels(learned_per_size: float, sizes=(4, 8, 16, 32, 64, 128), power: float = 1.0, runs=None):
    """Models that hold `learned_per_size * size**power` examples, a little more or less by seed."""

    def run(size: int, _: int, seed: int) -> Run:
        if runs is not None and (special := runs(size, seed)) is not None:
            return special
        spread = 1 + 0.02 * (seed - 2)
        return memorizing_random_labels(accuracy_of(learned_per_size * size**power * spread))

    return world(run, sizes=sizes, data_sizes=(PAIRS,))


def found(dataset, **options):
    return MemorizationCapacity.from_options(options).find({"experiment": dataset})


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_slope_is_that_of_the_capacity_though_the_largest_sizes_hold_everything(power):
    finding = found(labels(100 / 8**power, power=power))
    assert pytest.approx(power, abs=0.02) == finding.effect
    assert finding.low <= power <= finding.high
    assert not finding.details["bound"]


def test_a_capacity_that_does_not_rise_has_no_slope():
    finding = found(labels(300, power=0))
    assert pytest.approx(0.0, abs=1e-6) == finding.effect


def test_sizes_that_do_little_better_than_chance_do_not_flatten_the_slope():
    finding = found(labels(2, sizes=(2, 4, 8, 32, 64, 128)))
    assert pytest.approx(1.0, abs=0.03) == finding.effect


def test_from_chance_straight_to_everything_is_a_rise_of_at_least():
    finding = found(
        labels(0.1, runs=lambda size, _: (size > 16 and memorizing_random_labels(1.0)) or None)
    )
    assert finding.details["bound"]
    assert finding.low > 1


def test_no_end_above_is_known_where_what_a_size_holds_is_only_known_to_be_more():
    """Capacity is in proportion to the parameters, and all sizes but one know all labels."""
    finding = found(labels(20, sizes=(32, 64, 128, 256)))
    assert finding.details["bound"]
    assert finding.effect < 1 < finding.high == np.inf


def test_sizes_that_all_hold_everything_say_nothing():
    with pytest.raises(OutOfReachError, match=r"6 of them saturated.*try smaller models"):
        found(labels(1e6))


def test_sizes_that_all_stay_at_chance_say_nothing():
    with pytest.raises(OutOfReachError, match=r"0 of them saturated.*try larger models"):
        found(labels(0.1))


def test_a_size_that_was_not_trained_yet_may_still_say_something():
    with pytest.raises(NotEnoughDataError, match="5 of them saturated") as raised:
        found(labels(1e6, runs=lambda size, _: NOT_RUN if size == 4 else None))
    assert not isinstance(raised.value, OutOfReachError)


def test_chance_can_be_given():
    dataset = labels(12.5)
    assert pytest.approx(CHANCE, abs=1e-6) == found(dataset).details["chance"]
    assert 0.0 == found(dataset, chance=0).details["chance"]


def test_a_size_without_a_finished_run_leaves_the_slope_alone():
    dataset = labels(12.5, runs=lambda size, _: NOT_RUN if size == 16 else None)
    assert pytest.approx(1.0, abs=0.02) == found(dataset).effect


def test_no_order_of_the_dataset_matters():
    dataset = labels(12.5)
    assert found(dataset) == found(shuffled(dataset, seed=3))
