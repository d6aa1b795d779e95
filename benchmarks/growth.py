"""How the cost of a step grows: with runs in a cohort, data size, hidden size, evaluations.

    python -m benchmarks.growth [--only runs data_size …] [--rounds 5] [--device cpu]

The rows of a table take turns, and ratios to its first row are taken round by round.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contestants.trainer import Trainer
from benchmarks.machine import Floor
from benchmarks.setting import DATA_SIZE, MODULUS, forget, one_core, one_layer, seconds, settle
from benchmarks.turns import spread
from grokbench.record import Run

TURN = 0.1
"""Seconds that a row's turn should last at least."""

STEPS = {"cpu": 1, "cuda": 100}
"""Steps between two waits for the device."""


@dataclass(frozen=True)
class Row:
    """`work` does `steps` steps of `runs` runs; `operations` is what one of them takes at least."""

    label: str
    work: Callable[[], object]
    steps: int
    runs: int = 1
    operations: float = 1.0

    def milliseconds(self, times: int, device: str) -> float:
        """Per run and step."""
        took = seconds(lambda: [self.work() for _ in range(times)], device)
        return took / times / self.steps / self.runs * 1e3


@dataclass(frozen=True)
class Question:
    """A table: what grows, in which world, and how its rows are made (for a device)."""

    column: str
    world: str
    rows: Callable[[str], list[Row]]


def small(size: int, seed: int) -> Run:
    """A run of the world of `suites/quick.toml`."""
    return one_layer(size, seed, modulus=31, data_size=500)


def steps_of(trainer: Trainer) -> tuple[Callable[[], object], int]:
    """Work that a row repeats, and how many steps it is."""
    steps = STEPS[trainer.device]
    return partial(trainer.advance, steps), steps


def over_runs(device: str, counts: Sequence[int] = (1, 3, 10, 32, 100, 316, 1000)) -> list[Row]:
    rows = []
    for count in counts:
        trainer = Trainer([small(8, seed) for seed in range(count)], device)
        rows.append(Row(str(count), *steps_of(trainer), runs=count))
    return rows


def over_data(
    device: str, data_sizes: Sequence[int] = (500, 1000, 2000, 3000, 6000, 12000)
) -> list[Row]:
    rows = []
    for data_size in data_sizes:
        trainer = Trainer([one_layer(32, 0, data_size=data_size)], device)
        operations = Floor.of(32, 0, data_size, MODULUS).operations
        rows.append(Row(str(data_size), *steps_of(trainer), operations=operations))
    return rows


def over_sizes(device: str, sizes: Sequence[int] = (4, 8, 16, 32, 64, 100)) -> list[Row]:
    rows = []
    for size in sizes:
        trainer = Trainer([one_layer(size, 0)], device)
        operations = Floor.of(size, 0, DATA_SIZE, MODULUS).operations
        rows.append(Row(str(size), *steps_of(trainer), operations=operations))
    return rows


def over_evaluations(device: str, every: Sequence[int] = (1000, 100, 50, 10, 2, 1)) -> list[Row]:
    trainer = Trainer([small(16, 0)], device)

    def train(steps: int) -> None:
        trainer.advance(steps)
        trainer.evaluate()

    def row(steps: int) -> Row:
        return Row(str(steps), lambda: train(steps), steps)

    return [Row("never", *steps_of(trainer)), *(row(steps) for steps in every)]


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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
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
        console.print(f"\n{question.column.capitalize()} ({question.world}):")
        console.print(answer(question, arguments.rounds, arguments.device))
        forget(arguments.device)


if __name__ == "__main__":
    main()
