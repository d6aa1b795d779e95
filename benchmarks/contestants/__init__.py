"""The contestants: each trains the same runs from the same start, in its own way.

A contestant's module is imported only in the contestant's own process: JAX need not be installed, and
no library affects another.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from benchmarks.timing import forget, seconds
from grokbench.record import Run


class Contestant(Protocol):
    """Trains several runs at once; `runs` is their number."""

    runs: int

    def __init__(self, runs: Sequence[Run], device: str) -> None:
        """Make models, examples and optimizer state, and choose a program."""

    def advance(self, steps: int) -> None:
        """Train for `steps` steps, and wait for the device."""

    def loss(self) -> float:
        """The first run's training loss."""


@dataclass(frozen=True)
class Entry:
    """A contestant's name in the tables, its class, and how it is set up."""

    name: str
    module: str
    kind: str
    keeps_memory: bool = True
    """Whether malloc is set to keep freed memory, as grokbench's trainer sets it."""
    chooses_stacking: bool = False
    """Whether it trains the number of runs at once with which it is fastest."""

    @property
    def installed(self) -> bool:
        needs_jax = self.module.endswith("jax_scan")
        return not needs_jax or importlib.util.find_spec("jax") is not None

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
    """The number of runs at once, of `counts`, with which a contestant needs least time for each run.

    A number that does not fit into memory is left out; torch and JAX raise RuntimeError for it.
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
    """Seconds per run for one turn: the faster of two turns, after one to warm up."""
    contestant.advance(steps)
    tries = [seconds(partial(contestant.advance, steps), device) for _ in range(2)]
    return min(tries) / contestant.runs
