"""The tables show what the turns measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.machine import Floor, Rates
from benchmarks.one_layer import Match, Turn, compare_losses
from benchmarks.timing import spread

ROOT = Path(__file__).parents[2]


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
