from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from grokbench.forecast import makespan

Grokbench = Callable[..., Result]


def counts(result: Result) -> dict[str, int]:
    (experiment,) = json.loads(result.stdout)["experiments"]
    return {name: experiment[name] for name in ("runs", "done", "missing")}


def test_a_plan_counts_what_is_done_and_what_is_missing(grokbench: Grokbench, suite: Path) -> None:
    plan = ("plan", suite, "--json", "--no-measure")
    assert {"runs": 8, "done": 0, "missing": 8} == counts(grokbench(*plan))
    grokbench("run", suite, "--jobs", 1, "--seeds", 1)
    assert {"runs": 8, "done": 4, "missing": 4} == counts(grokbench(*plan))


def test_a_plan_of_some_seeds_is_what_a_run_of_them_trains(
    grokbench: Grokbench, suite: Path
) -> None:
    assert "To train: 4 runs in" in grokbench("plan", suite, "--no-measure", "--seeds", 1).stdout
    grokbench("run", suite, "--jobs", 1, "--seeds", 1)
    assert "Nothing to train." in grokbench("plan", suite, "--seeds", 1).stdout
    assert "To train: 4 runs in" in grokbench("plan", suite, "--no-measure").stdout


def test_a_plan_stores_nothing(grokbench: Grokbench, suite: Path) -> None:
    before = set(suite.parent.iterdir())
    assert grokbench("plan", suite, "--jobs", 1).exit_code == 0
    assert {suite.parent / "__pycache__"} >= set(suite.parent.iterdir()) - before


def test_a_plan_says_how_long_it_will_take_when_asked_to_measure(
    grokbench: Grokbench, suite: Path
) -> None:
    assert json.loads(grokbench("plan", suite, "--json", "--jobs", 1).stdout)["seconds"] > 0
    assert json.loads(grokbench("plan", suite, "--json", "--no-measure").stdout)["seconds"] is None
    assert "To train: 8 runs in" in grokbench("plan", suite, "--jobs", 1).stdout


def test_the_plan_of_a_finished_suite_has_nothing_to_train(
    grokbench: Grokbench, suite: Path
) -> None:
    grokbench("run", suite, "--jobs", 1)
    assert "Nothing to train." in grokbench("plan", suite).stdout


def test_records_that_the_suite_has_outgrown_are_mentioned(
    grokbench: Grokbench, suite: Path
) -> None:
    grokbench("run", suite, "--jobs", 1)
    suite.write_text(suite.read_text().replace("steps = 4", "steps = 5"))
    stdout = grokbench("plan", suite, "--no-measure").stdout
    assert "To train: 8 runs" in stdout
    assert "8 records belong to no run of this suite any more" in stdout


@given(st.lists(st.floats(0, 1e4), max_size=30), st.integers(1, 8))
def test_the_time_of_all_lies_between_the_bounds_of_any_schedule(
    seconds: list[float], workers: int
) -> None:
    longest = max(seconds, default=0.0)
    least = max(longest, sum(seconds) / workers)
    assert least <= makespan(seconds, workers) + 1e-6
    assert makespan(seconds, workers) <= sum(seconds) / workers + longest + 1e-6


def test_one_worker_takes_the_sum() -> None:
    assert makespan([1.0, 2.0, 3.0], 1) == pytest.approx(6.0)
