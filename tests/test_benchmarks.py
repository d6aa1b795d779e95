"""The benchmarks compare like with like, and each script runs."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import grokbench
from benchmarks.contestants import OTHERS, Contestant
from benchmarks.contestants.plain_loop import PlainLoop
from benchmarks.contestants.torch_func import TorchFunc
from benchmarks.contestants.trainer import Trainer
from benchmarks.machine import Floor, Rates, measure_rates
from benchmarks.one_layer import Match, Turn, compare_losses
from benchmarks.setting import one_layer
from benchmarks.turns import spread, take_turns
from grokbench.plan import Shapes
from grokbench.plugins import Plugins
from studies import recipe

ROOT = Path(__file__).parents[1]
RUNS = [one_layer(8, seed, modulus=11, data_size=60) for seed in range(3)]
STEPS = 5


def loss_after(kind: type[Contestant]) -> float:
    contestant = kind(RUNS, "cpu")
    contestant.advance(STEPS)
    return contestant.loss()


@pytest.fixture(scope="module")
def expected() -> float:
    return loss_after(PlainLoop)


@pytest.mark.parametrize("kind", [Trainer, TorchFunc])
def test_contestants_make_the_same_steps_from_the_same_start(
    kind: type[Contestant], expected: float
) -> None:
    assert pytest.approx(expected, rel=1e-5) == loss_after(kind)
    assert pytest.approx(expected, rel=1e-3) != kind(RUNS, "cpu").loss()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["JAX", "JAX, last position"])
def test_jax_makes_the_same_steps(name: str, expected: float) -> None:
    pytest.importorskip("jax")
    (entry,) = (entry for entry in OTHERS if entry.name == name)
    assert pytest.approx(expected, rel=1e-5) == loss_after(entry.load())


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


def test_ratios_are_taken_round_by_round_and_what_is_not_installed_says_so() -> None:
    turns = {
        "grokbench": [Turn(2, 1.0, 0.5), Turn(2, 4.0, 0.5)],
        "plain loop": [Turn(1, 3.0, 0.5), Turn(1, 8.0, 0.5)],
    }
    rates = [Rates({"square": 1e9}, 1e9, 1e9)] * 2
    match = Match(8, turns, rates, Floor(500_000, 1, 1), counted=600_000)
    assert "2.50 [2.00–3.00]" == match.times_faster("plain loop")
    assert "2.50 (2)" == match.median("grokbench")
    assert "31 [12–50]" == match.share()
    assert "not installed" == match.median("JAX") == match.times_faster("JAX")


def test_contestants_that_do_something_else_are_found_out() -> None:
    compare_losses(8, {"grokbench": 1.0, "plain loop": 1.01})
    with pytest.raises(SystemExit, match="not do the same optimization"):
        compare_losses(8, {"grokbench": 1.0, "plain loop": 1.1})
    with pytest.raises(SystemExit, match="not do the same optimization"):
        compare_losses(8, {"grokbench": 1.0, "plain loop": float("nan")})


def test_a_spread_is_the_median_and_the_range() -> None:
    assert "2.0 [1.0–4.0]" == spread([4.0, 1.0, 2.0], digits=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "one_layer --sizes 4 --rounds 1 --steps 2",
        "growth --only hidden_size evaluations --rounds 1",
        "startup --rounds 1 --no-compiling",
    ],
)
def test_each_script_prints_its_tables(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *f"benchmarks.{command}".split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "|--" in done.stdout


@pytest.mark.slow
def test_the_documented_sweep_is_what_the_results_say() -> None:
    document = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert recipe.table(grokbench.open_results(ROOT / "results" / "recipe")) in document
