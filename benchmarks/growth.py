"""How the time of a step grows: with runs in a cohort, data size, hidden size, evaluations.

    python -m benchmarks.growth [--only runs data_size …] [--rounds 5] [--device cpu]

The rows of a table take turns. Ratios to the first row are taken within each round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contestants.trainer import Trainer
from benchmarks.machine import Floor
from benchmarks.setting import DATA_SIZE, MODULUS, one_layer, small
from benchmarks.timing import forget, one_core, options, seconds, settle, spread

TURN = 0.1
"""Seconds that the turn of a row lasts at least."""

STEPS = {"cpu": 1, "cuda": 100}
"""Steps between two synchronizations with the device."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    label: str
    work: Callable[[], object]
    """Trains `runs` runs for `steps` steps."""
    steps: int
    runs: int = 1
    operations: float = 1.0
    """The least number of operations that one step of one run needs."""

    def milliseconds(self, times: int, device: str) -> float:
        """Milliseconds for each run and step."""
        took = seconds(lambda: [self.work() for _ in range(times)], device)
        return took / times / self.steps / self.runs * 1e3


@dataclass(frozen=True)
class Question:
    """A table."""

    column: str
    """What grows."""
    setting: str
    """What stays."""
    rows: Callable[[str], list[Row]]
    """Device → rows."""


def steps_of(trainer: Trainer) -> tuple[Callable[[], object], int]:
    """The work that a row repeats, and its number of steps."""
    steps = STEPS[trainer.device]
    return partial(trainer.advance, steps), steps


def over_runs(device: str) -> list[Row]:
    rows = []
    for count in (1, 3, 10, 32, 100, 316, 1000):
        trainer = Trainer([small(8, seed) for seed in range(count)], device)
        rows.append(Row(str(count), *steps_of(trainer), runs=count))
    return rows


def over_data(device: str) -> list[Row]:
    rows = []
    for data_size in (500, 1000, 2000, 3000, 6000, 12000):
        trainer = Trainer([one_layer(32, 0, data_size=data_size)], device)
        operations = Floor.of(32, 0, data_size, MODULUS).operations
        rows.append(Row(str(data_size), *steps_of(trainer), operations=operations))
    return rows


def over_sizes(device: str) -> list[Row]:
    rows = []
    for size in (4, 8, 16, 32, 64, 100):
        trainer = Trainer([one_layer(size, 0)], device)
        operations = Floor.of(size, 0, DATA_SIZE, MODULUS).operations
        rows.append(Row(str(size), *steps_of(trainer), operations=operations))
    return rows


def over_evaluations(device: str) -> list[Row]:
    trainer = Trainer([small(16, 0)], device)

    def train(steps: int) -> None:
        trainer.advance(steps)
        trainer.evaluate()

    def row(steps: int) -> Row:
        return Row(str(steps), lambda: train(steps), steps)

    return [Row("never", *steps_of(trainer)), *map(row, (1000, 100, 50, 10, 2, 1))]


QUESTIONS = {
    "runs": Question("runs", "P = 31, D = 500, hidden size 8", over_runs),
    "data_size": Question("data size", f"P = {MODULUS}, hidden size 32, one run", over_data),
    "hidden_size": Question("hidden size", f"P = {MODULUS}, D = {DATA_SIZE}, one run", over_sizes),
    "evaluations": Question(
        "evaluated every", "P = 31, D = 500, hidden size 16, one run", over_evaluations
    ),
}


def answer(question: Question, rounds: int, device: str) -> Table:
    rows = question.rows(device)
    for row in rows:
        row.work()
    lasts = [row.milliseconds(1, device) * row.steps * row.runs / 1e3 for row in rows]
    times = [max(1, round(TURN / one)) for one in lasts]
    took = [
        [row.milliseconds(count, device) for row, count in zip(rows, times, strict=True)]
        for _ in range(rounds)
    ]
    table = Table(
        question.column, "ms per step", "ms per run and step", "times the first row",
        "operations, times the first row's", box=box.MARKDOWN,
    )  # fmt: skip
    for i, row in enumerate(rows):
        typical = statistics.median(one[i] for one in took)
        table.add_row(
            row.label,
            f"{typical * row.runs:.3f}",
            f"{typical:.4f}",
            spread([one[i] / one[0] for one in took]),
            f"{row.operations / rows[0].operations:.2f}",
        )
    return table


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    arguments = parser.parse_args()
    where = one_core(arguments.device)
    settle(keep_memory=True)
    console = Console(width=240)
    console.print(
        f"One layer, {where}, torch {torch.__version__}; "
        f"{arguments.rounds} rounds: medians [range of the rounds]",
        markup=False,
    )
    for name in arguments.only:
        question = QUESTIONS[name]
        console.print(f"\n{question.column.capitalize()} ({question.setting}):")
        console.print(answer(question, arguments.rounds, arguments.device))
        forget(arguments.device)


if __name__ == "__main__":
    main()
