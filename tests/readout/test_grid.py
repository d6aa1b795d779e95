"""The order of an experiment's grid, and the cells that a reading is about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.readout import (
    canonical,
    finished,
    log2_parameters,
    of_part,
    single_curve,
    without_empty_seeds,
)
from grokbench.record import Status
from tests.phenomena.worlds import NOT_RUN, ending_at, shuffled, single, world


def test_canonical_order_undoes_any_shuffle():
    dataset = world(lambda size, _, seed: ending_at(size / 100 + seed / 1000))
    xr.testing.assert_identical(canonical(dataset), canonical(shuffled(dataset, seed=1)))


def test_a_seed_that_is_there_twice_is_no_two_independent_ones():
    dataset = world(lambda *_: ending_at(0.5))
    twice = dataset.isel(seed=[0, 1, 0])
    with pytest.raises(NotEnoughDataError, match="seed 0 is there more than once"):
        canonical(twice)


def test_model_sizes_with_text_labels_are_ordered_by_their_parameters():
    dataset = world(lambda *_: ending_at(0.5), sizes=(8, 16, 64))
    dataset = dataset.assign_coords(model_size=["2x8", "10x16", "1x64"])
    observed = canonical(dataset.isel(model_size=[2, 0, 1]))["model_size"].to_numpy().tolist()
    assert ["2x8", "10x16", "1x64"] == observed


def test_a_dimension_with_two_values_where_one_is_needed_is_named_with_the_remedy():
    dataset = world(lambda *_: ending_at(0.5), data_sizes=(350, 450))
    with pytest.raises(NotEnoughDataError, match=r"data_size has 2 values \(350, 450\).*`where`"):
        single_curve(dataset, "model_size", "seed")


def test_the_first_part_is_taken_unless_another_is_asked_for():
    parts = xr.concat(
        [single(ending_at(0.2)), single(ending_at(0.8))],
        xr.Variable("part", ["addition", "subtraction"]),
        data_vars="different",
        coords="minimal",
        compat="equals",
    )
    for part, accuracy in ((None, 0.2), ("addition", 0.2), ("subtraction", 0.8)):
        chosen = of_part(parts, part)
        assert pytest.approx(accuracy) == chosen["mirror_free_accuracy"].values.max()
    with pytest.raises(NotEnoughDataError, match="known: addition, subtraction"):
        of_part(parts, "division")


def test_a_seed_counts_when_any_of_its_runs_finished():
    lost = {(8, 0), (16, 0), (8, 1)}
    dataset = world(
        lambda size, _, seed: NOT_RUN if (size, seed) in lost else ending_at(0.5), sizes=(8, 16)
    )
    assert [1, 2, 3, 4] == without_empty_seeds(dataset)["seed"].to_numpy().tolist()
    assert 7 == finished(dataset).sum()


@pytest.mark.parametrize("status", [Status.NOT_RUN, Status.DIVERGED, Status.FAILED])
def test_a_run_that_was_not_trained_to_its_last_step_has_not_finished(status):
    assert not finished(single(replace(NOT_RUN, status=status))).item()


def test_a_size_whose_parameters_are_not_known_has_no_logarithm():
    dataset = world(lambda *_: ending_at(0.5), parameters=lambda size: 0 if size == 8 else size)
    found = log2_parameters(dataset)
    assert np.isnan(found[0])
    assert [4.0, 5.0, 6.0] == found[1:].tolist()
