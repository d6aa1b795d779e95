"""Simulated experiments whose runs are described one by one, in a few numbers each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.record import Run
from grokbench.testing.simulator.curves import FLAWLESS, simulate
from grokbench.testing.simulator.grid import Grid
from grokbench.testing.simulator.laws import Runs


@dataclass(frozen=True)
class Story:
    """What becomes of one run: levels of accuracy, and the steps at which they are reached."""

    trained: float = 1.0
    """Final training accuracy."""
    memorized: float = 300
    """The step at which it is reached."""
    generalized: float | None = 0.0
    """Final validation accuracy; None where nothing validates."""
    at: float = 1200
    """The step at which it is reached."""
    norm: float = 1.0
    """The parameter norm at that step over the norm before generalization began."""


Tell = Callable[[Run, np.random.Generator], Story]
"""What becomes of a run, with a random generator of its own."""


@dataclass(frozen=True)
class Told:
    """The law by which each run has the story that `tell` gives; `salt` seeds the generators."""

    tell: Tell
    salt: int = 0

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        stories = [
            self.tell(run, np.random.default_rng([*index, self.salt]))
            for index, run in grid.layout.runs.items()
        ]
        trained, memorized, generalized, at, norm = (
            np.array([getattr(one, name) for one in stories], float).reshape(grid.shape)
            for name in ("trained", "memorized", "generalized", "at", "norm")
        )
        return Runs(trained, memorized, generalized, at, norm)


def dataset(
    tell: Tell,
    *,
    sizes: Sequence[int | str] = (4, 8, 16, 32, 64, 128, 256),
    data_sizes: Sequence[int] = (200, 400, 800),
    seeds: int = 5,
    parts: Sequence[str] = ("all",),
    learning_rates: Sequence[float] = (),
    salt: int = 0,
) -> xr.Dataset:
    """The dataset of an experiment of 2000 steps, each of whose runs has the story it is told.

    Args:
        tell: what becomes of a run.
        sizes, data_sizes, seeds, parts, learning_rates: as in `Grid`.
        salt: seeds the noise; experiments that must differ need different values.
    """
    grid = Grid(
        tuple(sizes),
        tuple(data_sizes),
        seeds,
        modulus=31,
        steps=2000,
        evaluate_every=100,
        parts=tuple(parts),
        learning_rates=tuple(learning_rates),
    )
    return simulate(Told(tell, salt), grid, salt, FLAWLESS)
