"""The contestants: each trains the same runs from the same start, in its own way.

A contestant's module is imported in the contestant's own process alone, so that JAX need not be
installed, and so that no library disturbs another.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from benchmarks.setting import forget, seconds
from grokbench.record import Run


class Contestant(Protocol):
    """Trains `runs` runs at once."""

    runs: int

    def __init__(self, runs: Sequence[Run], device: str) -> None:
        """Make models, examples and optimizer state, and choose a program."""

    def advance(self, steps: int) -> None:
        """Train so many steps, and wait for the device."""

    def loss(self) -> float:
        """The first run's training loss."""


@dataclass(frozen=True)
class Entry:
    """A contestant as it stands in a table: the class, its module, and how it is set up."""

    name: str
    module: str
    kind: str
    keeps_memory: bool = True
    """Whether malloc is told to keep freed memory, as grokbench's trainer tells it."""
    chooses_stacking: bool = False
    """Whether it may stack as many runs as it is fastest with."""

    @property
    def needs_jax(self) -> bool:
        return self.module.endswith("jax_scan")

    def load(self) -> type[Contestant]:
        kind: type[Contestant] = getattr(importlib.import_module(self.module), self.kind)
        return kind


HERE = "benchmarks.contestants"
GROKBENCH = Entry("grokbench", f"{HERE}.trainer", "Trainer")
OTHERS = (
    Entry("plain loop", f"{HERE}.plain_loop", "PlainLoop", keeps_memory=False),
    Entry("plain loop, memory kept", f"{HERE}.plain_loop", "PlainLoop"),
    Entry("torch.func", f"{HERE}.torch_func", "TorchFunc", chooses_stacking=True),
    Entry("JAX", f"{HERE}.jax_scan", "JaxScan", chooses_stacking=True),
    Entry("JAX, last position", f"{HERE}.jax_scan", "JaxLastPosition", chooses_stacking=True),
)


def fastest_stacking(
    kind: type[Contestant], runs: Sequence[Run], counts: Sequence[int], steps: int, device: str
) -> int:
    """With which of `counts` runs at once a contestant takes least time for each.

    A count that does not fit into memory is out; both libraries raise a RuntimeError for it.
    """
    costs: dict[int, float] = {}
    refused: list[RuntimeError] = []
    for count in sorted({min(count, len(runs)) for count in counts}):
        try:
            costs[count] = cost(kind(runs[:count], device), steps, device)
        except RuntimeError as error:
            refused.append(error)
        forget(device)
    if not costs:
        raise refused[0]
    return min(costs, key=costs.__getitem__)


def cost(contestant: Contestant, steps: int, device: str) -> float:
    """Seconds for each run of a turn, the better of two after one for warming up."""
    contestant.advance(steps)
    tries = [seconds(partial(contestant.advance, steps), device) for _ in range(2)]
    return min(tries) / contestant.runs
