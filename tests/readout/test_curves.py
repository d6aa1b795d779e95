"""How curves are read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from grokbench.readout import (
    collapsed,
    generalization_accuracy,
    settled,
    sustained_crossing,
    value_at,
)
from grokbench.record import Status
from tests.phenomena.worlds import (
    NOT_RUN,
    STEPS,
    Run,
    ending_at,
    grokking,
    single,
)


def at_steps(curve: np.ndarray, values: dict[int, float]) -> np.ndarray:
    changed = curve.copy()
    for step, value in values.items():
        changed[np.searchsorted(STEPS, step)] = value
    return changed


def final(run: Run) -> float:
    dataset = single(run)
    return settled(dataset, generalization_accuracy(dataset)).item()


def test_a_slingshot_at_the_last_evaluation_does_not_change_the_final_value():
    run = grokking()
    hit = replace(run, mirror_free=at_steps(run.mirror_free, {6000: 0.1, 5900: 0.3}))
    assert 1.0 == final(hit)


def test_a_collapsed_run_is_flagged_and_read_where_it_stood():
    run = grokking()
    gone = STEPS >= 5000
    hit = replace(
        run,
        train=np.where(gone, 0.2, run.train),
        mirror_free=np.where(gone, 0.1, run.mirror_free),
    )
    assert collapsed(single(hit)).item()
    assert 1.0 == final(hit)


def test_validation_that_falls_while_training_stays_is_read_as_fallen():
    run = replace(grokking(), mirror_free=np.where(STEPS < 3000, 0.5, 0.02))
    assert not collapsed(single(run)).item()
    assert pytest.approx(0.02) == final(run)


def test_a_run_that_is_not_done_has_no_final_value():
    for status in (Status.NOT_RUN, Status.DIVERGED, Status.FAILED):
        assert np.isnan(final(replace(NOT_RUN, status=status)))


def test_a_done_run_whose_grid_of_steps_is_shared_with_a_longer_one_is_read_at_its_own_end():
    short = np.where(STEPS <= 2000, 0.7, np.nan)
    assert pytest.approx(0.7) == final(Run(train=short, mirror_free=short))


def test_accuracy_is_mirror_free_while_there_are_mirror_free_examples():
    leak = np.full(len(STEPS), 0.6)
    run = Run(validation=leak)
    assert pytest.approx(0.01) == final(run)
    nothing = replace(run, mirror_free=np.full(len(STEPS), np.nan), mirror_free_examples=0)
    assert pytest.approx(0.6) == final(nothing)


def test_a_crossing_counts_only_when_it_lasts():
    run = Run(mirror_free=at_steps(grokking().mirror_free, {700: 1.0, 900: 1.0, 1000: 1.0}))
    dataset = single(run)
    crossing = sustained_crossing(dataset, dataset["mirror_free_accuracy"], 0.9)
    assert 2900 == crossing.item()


def test_a_level_that_float32_cannot_hold_is_still_reached():
    dataset = single(ending_at(0.9))
    crossing = sustained_crossing(dataset, dataset["mirror_free_accuracy"], 0.9)
    assert 2000 == crossing.item()


def test_a_crossing_in_the_last_two_evaluations_has_not_lasted():
    run = Run(mirror_free=np.where(STEPS >= 5900, 1.0, 0.0))
    dataset = single(run)
    assert np.isnan(sustained_crossing(dataset, dataset["mirror_free_accuracy"], 0.9).item())


def test_a_value_is_read_at_the_last_evaluation_before_a_step():
    dataset = single(Run(norm=STEPS.astype(float)))
    assert 1500 == value_at(dataset, dataset["parameter_norm"], xr.DataArray(1550)).item()
