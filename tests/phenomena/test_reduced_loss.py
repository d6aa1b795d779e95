"""The walls and the minimum of a final loss along an axis of the recipe."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OptionsError
from grokbench.phenomena.reduced_loss import ReducedLoss
from grokbench.record import Status
from grokbench.testing.simulator import FLAWLESS, Goldilocks, Grid, simulate
from grokbench.testing.simulator.changes import without_runs

SCALES = (0.1, 0.25, 0.63, 1.6, 4.0, 10.0)
GRID = Grid((64,), seeds=8, steps=4000, evaluate_every=500, swept=(("initial_scale", SCALES),))
U = Goldilocks(minimum=0.63, left=2.0, right=3.0)


def found(dataset, **options):
    return ReducedLoss.from_options(options).find({"experiment": dataset})


def walls(law, scale):
    """The truth: how much higher losses are at this scale than at the scale 0.63, in decades."""
    away = math.log10(scale / law.minimum)
    return (law.left if away < 0 else law.right) * away**2


def test_a_u_has_two_walls_and_its_depth_is_the_lower_one():
    dataset = simulate(U, GRID, 1, FLAWLESS)
    left, right, depth = (found(dataset, effect=one) for one in ("left", "right", "depth"))
    assert left.low < walls(U, 0.1) < left.high
    assert right.low < walls(U, 10.0) < right.high
    assert (left.effect, left.low) == (depth.effect, depth.low)
    assert "at 0.63 and" in depth.evidence
    assert 8 == depth.seeds


def test_training_loss_is_an_l():
    dataset = simulate(U, GRID, 1, FLAWLESS)
    left, right = (found(dataset, effect=one, loss="train") for one in ("left", "right"))
    assert left.low > 0.5
    assert right.low < 0 < right.high
    assert right.high < 0.5


def test_the_place_of_the_minimum_is_found():
    place = found(simulate(U, GRID, 1, FLAWLESS), effect="place")
    assert place.low < math.log10(0.63) < place.high
    at_the_end = found(simulate(Goldilocks(minimum=0.1), GRID, 1, FLAWLESS), effect="place")
    assert -math.inf == at_the_end.low
    assert at_the_end.high < 0


def test_the_lowest_of_equal_losses_is_no_minimum():
    """Without walls, each seed's own minimum would lie 0.25 decades low; that of the others does not."""
    flat = Goldilocks(left=0.0, right=0.0, spread=0.2)
    effects = [
        found(simulate(flat, GRID, seed, FLAWLESS), effect="left").effect for seed in range(40)
    ]
    assert abs(np.mean(effects)) < 0.05


def test_losses_below_the_floor_count_as_the_floor():
    tiny = replace(U, lowest=1e-9, left=0.0, right=0.0)
    dataset = simulate(tiny, GRID, 1, FLAWLESS)
    flat = found(dataset)
    assert 0 == flat.effect
    assert flat.low < 0 < flat.high
    assert found(dataset, floor=1e-12).effect != 0


def test_missing_runs_are_left_out():
    dataset = simulate(U, GRID, 1, FLAWLESS)
    holes = without_runs(
        {"experiment": dataset},
        lambda status: (status["seed"] == 2) & (status["initial_scale"] == 10.0),
        Status.DIVERGED,
    )["experiment"]
    finding = found(holes)
    assert 7 == finding.seeds
    assert [8, 8, 8, 8, 8, 7] == finding.details["runs"]


def test_two_values_have_no_minimum_between_them():
    dataset = simulate(U, GRID, 1, FLAWLESS)
    with pytest.raises(NotEnoughDataError, match="three values of initial_scale"):
        found(dataset.isel(initial_scale=[0, 3]))
    with pytest.raises(NotEnoughDataError, match="two seeds"):
        found(dataset.isel(seed=[0]))
    with pytest.raises(NotEnoughDataError, match="no axis 'weight_decay'"):
        found(dataset, axis="weight_decay")


def test_options_and_warnings_are_in_words():
    with pytest.raises(OptionsError, match="'step' is no axis that is compared"):
        ReducedLoss.from_options({"axis": "step"})
    lengths = {"experiment": {"initial_scale": 2}}
    assert "three values of initial_scale" in str(ReducedLoss().warning(lengths))
    assert ReducedLoss().warning({"experiment": {"initial_scale": 3}}) is None


def test_a_run_that_collapsed_at_the_end_has_its_lowest_loss():
    """Training accuracy falls from 1 to 0.5 in the last evaluations, and both losses rise to 100."""
    grid = replace(GRID, evaluate_every=100)
    dataset = simulate(U, grid, 1, FLAWLESS)
    before = found(dataset)
    late = dataset["step"] > 3500
    collapsed = dataset.assign(
        train_accuracy=dataset["train_accuracy"].where(~late, 0.5),
        validation_loss=dataset["validation_loss"].where(~late, 100.0),
    )
    assert pytest.approx(before.effect, abs=0.01) == found(collapsed).effect
