"""The floor counts what training needs, and rates are measured in turns."""

from __future__ import annotations

from functools import partial

from benchmarks.contestants.trainer import Trainer
from benchmarks.machine import Floor, measure_rates
from benchmarks.setting import one_layer
from benchmarks.turns import take_turns
from grokbench.plan import Shapes
from grokbench.plugins import Plugins


def test_the_floor_is_what_the_program_is_counted_to_do_but_for_spreading() -> None:
    """Spreading attention over heads by products of ones and zeros is all that comes on top."""
    size = 32
    run = one_layer(size, seed=0, steps=1)
    floor = Floor.of(size, Shapes.of(run, Plugins.load()).parameters, data_size=3000, modulus=113)
    spreading = 3000 * 56 * size
    counted = Trainer([run]).operations()
    assert floor.operations < counted <= floor.operations + 1.1 * spreading


def test_the_floor_is_the_sum_of_its_shares() -> None:
    """Hidden size 32, D = 3000, P = 113: 0.234 GFLOP, as counted by hand."""
    assert 3000 * (54 * 32**2 + 678 * 32) + 2730 * 32**2 + 1362 * 32 == (
        Floor.of(32, 19_808, 3000, 113).operations
    )


def test_players_take_turns_and_each_measures_once_a_round() -> None:
    player = partial(measure_rates, 4, 1, 11, "cpu", milliseconds=1)
    rounds = take_turns({"one": player}, rounds=2, steps=1)["one"]
    assert 2 == len(rounds)
    assert all(rates.best >= rates.own_shapes > 0 and rates.memory > 0 for rates in rounds)
