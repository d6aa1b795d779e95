"""The critical data size, known only to lie between two data sizes tried."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.readout import critical_data_sizes
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, memorizing, world

DATA_SIZES = (350, 450, 550, 650)


def needing(critical):
    """Models that generalize from `critical[size]` examples on."""
    return world(
        lambda size, data_size, _: ending_at(1.0 if data_size >= critical[size] else 0.2),
        data_sizes=DATA_SIZES,
    )


def test_a_critical_size_is_bracketed_by_the_data_sizes_tried():
    curve = critical_data_sizes(needing({8: 9999, 16: 600, 32: 500, 64: 0}))
    assert [650, 550, 450, 0] == curve["low"].to_numpy().tolist()
    assert [np.inf, 650, 550, 350] == curve["high"].to_numpy().tolist()
    assert [True, False, False, False] == curve["right_censored"].to_numpy().tolist()
    assert [False, False, False, True] == curve["left_censored"].to_numpy().tolist()
    assert pytest.approx(np.sqrt(550 * 650)) == curve["estimate"].item(1)
    assert np.isnan(curve["estimate"].to_numpy()[[0, 3]]).all()


def test_one_failure_above_it_moves_the_critical_size_up():
    dataset = world(
        lambda _, data_size, __: ending_at(0.2 if data_size in (350, 550) else 1.0),
        data_sizes=DATA_SIZES,
    )
    assert (critical_data_sizes(dataset)["low"] == 550).all()


def test_a_missing_cell_widens_the_bracket_and_is_not_a_failure():
    def run(size: int, data_size: int, seed: int) -> Run:
        if data_size in (450, 650):
            return NOT_RUN
        return ending_at(1.0 if data_size >= 500 else 0.2)

    curve = critical_data_sizes(world(run, data_sizes=DATA_SIZES))
    assert {(350.0, 550.0)} == set(zip(curve["low"].values, curve["high"].values, strict=True))


def test_what_mirrors_give_away_does_not_count_as_generalized():
    leaking = memorizing()
    dataset = world(
        lambda *_: Run(leaking.train, leaking.mirror_free, validation=np.ones_like(leaking.train)),
        data_sizes=DATA_SIZES,
    )
    assert critical_data_sizes(dataset)["right_censored"].all()


def test_the_threshold_can_be_chosen():
    dataset = world(lambda *_: ending_at(0.6), data_sizes=DATA_SIZES)
    assert critical_data_sizes(dataset, threshold=0.5)["left_censored"].all()
    assert critical_data_sizes(dataset, threshold=0.7)["right_censored"].all()
