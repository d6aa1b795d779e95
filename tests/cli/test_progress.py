"""What is shown while training, with a clock that is wound by hand."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from rich.console import Console

from grokbench.cli.progress import Bars, Lines, Tally
from grokbench.plan import Cohort, Plan
from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status, failed


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def run(seed: int) -> Run:
    recipe = Recipe(Choice("adamw"), steps=100)
    return Run(Choice("modular_addition"), Choice("dense"), ModelSize(8), 10, seed, recipe)


def cohort(name: str, runs: int, work: float) -> Cohort:
    return Cohort(name, tuple(map(run, range(runs))), f"label [{name}]", work)


def records(cohort: Cohort, statuses: Sequence[Status]) -> list[Record]:
    made = [failed(run, "first line\nlast [line]") for run in cohort.runs]
    return [
        Record(r.run_id, status, r.parts, r.steps, {}, {}, 0, r.message)
        for r, status in zip(made, statuses, strict=True)
    ]


SMALL, LARGE = cohort("small", 2, 1e6), cohort("large", 3, 3e6)
DONE = [Status.DONE] * 3


def plan(*missing: Cohort) -> Plan:
    return Plan((), (LARGE, SMALL), missing, stale=0)


def plain() -> Console:
    return Console(file=io.StringIO(), width=120, markup=False)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_time_left_is_time_taken_scaled_by_the_work_left() -> None:
    clock = Clock()
    tally = Tally([LARGE, SMALL], clock)
    tally.advanced(LARGE, 0, 0.5)
    tally.advanced(SMALL, 0, 0.5)
    assert tally.time_left() == ""
    clock.now = 60.0
    tally.advanced(LARGE, 50, 0.5)
    tally.advanced(SMALL, 50, 0.5)
    assert tally.share == pytest.approx(0.5)
    assert tally.time_left() == "about 60 s left"
    tally.finished(LARGE, records(LARGE, DONE))
    tally.finished(SMALL, records(SMALL, DONE[:2]))
    assert tally.share == 1.0
    assert tally.time_left() == ""
    assert tally.done() == "5/5 runs, 2/2 cohorts"


def test_an_accuracy_that_nobody_can_measure_is_not_shown() -> None:
    tally = Tally([SMALL], Clock())
    assert tally.accuracy(SMALL) == ""
    tally.advanced(SMALL, 1, math.nan)
    assert tally.accuracy(SMALL) == ""
    tally.advanced(SMALL, 2, 0.934)
    assert tally.accuracy(SMALL) == "validation accuracy 0.93"


def test_what_a_checkpoint_had_done_before_says_nothing_about_the_pace() -> None:
    clock = Clock()
    tally = Tally([LARGE], clock)
    tally.advanced(LARGE, 80, 0.5)
    clock.now = 60.0
    tally.advanced(LARGE, 90, 0.5)
    assert "about 60 s left" == tally.time_left()


def test_a_log_has_one_line_a_finished_cohort() -> None:
    console, clock = plain(), Clock()
    lines = Lines(console, clock)
    lines.planned(plan(LARGE), [LARGE])
    lines.started(LARGE)
    lines.advanced(LARGE, 50, 0.25)
    lines.finished(LARGE, records(LARGE, DONE))
    assert shown(console).splitlines() == [
        "2 runs already trained and stored.",
        "Training 3 runs in 1 cohort.",
        "3/3 runs, 1/1 cohort · label [large] · validation accuracy 0.25",
    ]


def test_a_log_is_not_quiet_for_long_while_there_is_news() -> None:
    console, clock = plain(), Clock()
    lines = Lines(console, clock)
    lines.planned(plan(LARGE, SMALL), [LARGE, SMALL])
    for second in range(51):
        clock.now = float(second)
        lines.advanced(LARGE, second, 0.25)
    assert shown(console).splitlines()[1:] == [
        "0/5 runs, 0/2 cohorts · label [large] · step 20 of 100 · validation accuracy 0.25"
        " · about 2 min left",
        "0/5 runs, 0/2 cohorts · label [large] · step 40 of 100 · validation accuracy 0.25"
        " · about 93 s left",
    ]


def test_any_line_ends_the_quiet() -> None:
    console, clock = plain(), Clock()
    lines = Lines(console, clock)
    lines.planned(plan(LARGE, SMALL), [LARGE, SMALL])
    clock.now = 19.0
    lines.finished(SMALL, records(SMALL, DONE[:2]))
    told = shown(console)
    clock.now = 38.0
    lines.advanced(LARGE, 50, 0.25)
    assert told == shown(console)


def test_bars_move_without_printing_lines() -> None:
    console, clock = plain(), Clock()
    bars = Bars(console, clock)
    bars.planned(plan(LARGE, SMALL), [LARGE, SMALL])
    told = shown(console)
    clock.now = 60.0
    bars.advanced(LARGE, 50, 0.25)
    assert told == shown(console)


def test_runs_that_did_not_end_well_are_told_with_their_message() -> None:
    console = plain()
    lines = Lines(console, Clock())
    lines.planned(plan(LARGE, SMALL), [LARGE, SMALL])
    lines.finished(LARGE, records(LARGE, [Status.DONE, Status.DIVERGED, Status.FAILED]))
    lines.lost(SMALL, "its worker process ended")
    assert "1 run diverged (last [line]), 1 run failed (last [line])" in shown(console)
    assert "label [small]: its worker process ended" in shown(console)


def test_nothing_wanted_shows_no_training() -> None:
    console = plain()
    Lines(console, Clock()).planned(plan(), [])
    assert shown(console) == "5 runs already trained and stored.\n"


def test_a_terminal_shows_a_bar_for_all_and_one_a_cohort_in_training() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, markup=False)
    clock = Clock()
    bars = Bars(console, clock)
    bars.planned(plan(LARGE, SMALL), [LARGE, SMALL])
    bars.started(LARGE)
    bars.started(SMALL)
    bars.advanced(LARGE, 0, 0.25)
    clock.now = 30.0
    bars.advanced(LARGE, 50, 0.75)
    bars.finished(SMALL, records(SMALL, DONE[:2]))
    console.print(bars.bars)
    picture = shown(console)
    assert "2/5 runs, 1/2 cohorts" in picture
    assert "label [large]" in picture
    assert "validation accuracy 0.75" in picture
    assert "about 18 s left" in picture
    assert "label [small]" not in picture.rpartition("2/5")[2]
