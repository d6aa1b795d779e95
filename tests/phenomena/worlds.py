"""Datasets with a known truth, whose runs are given curve by curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from grokbench.record import Run as Point
from grokbench.record import Status
from grokbench.testing.simulator import Curves, Grid

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, *range(100, 6001, 100)])
CHANCE = 1 / 31


def ramp(start: float, end: float, low: float, high: float) -> np.ndarray:
    """A curve over STEPS: `low` up to the step `start`, `high` from the step `end`."""
    return np.interp(STEPS, [start, end], [low, high])


@dataclass(frozen=True, eq=False)
class Run(Curves):
    """One run's curves over STEPS; it memorizes by step 500 and never generalizes unless given."""

    train: np.ndarray = field(default_factory=lambda: ramp(100, 500, CHANCE, 1.0))
    mirror_free: np.ndarray = field(default_factory=lambda: np.full(len(STEPS), 0.01))
    norm: np.ndarray = field(default_factory=lambda: np.full(len(STEPS), 20.0))


NOT_RUN = Run(status=Status.NOT_RUN)


def memorizing() -> Run:
    """Training accuracy is perfect from step 500, mirror-free accuracy never leaves the floor."""
    return Run()


def grokking(memorized: float = 500, generalized: float = 3000, norm: float = 0.7) -> Run:
    """Generalizes from long after memorizing; the norm goes to `norm` times what it was."""
    return Run(
        train=ramp(100, memorized, CHANCE, 1.0),
        mirror_free=ramp(generalized - 1000, generalized, 0.01, 1.0),
        norm=20 * ramp(memorized, generalized, 1.0, norm),
    )


def semi_grokking(final: float = 0.5) -> Run:
    return Run(mirror_free=ramp(2000, 4000, 0.01, final))


def progression(final: float = 0.6, norm: float = 1.5) -> Run:
    """Generalizes in part while training accuracy is still moderate; the norm grows."""
    return Run(
        train=ramp(100, 4000, CHANCE, min(0.95, final + 0.2)),
        mirror_free=ramp(2000, 4000, 0.01, final),
        norm=20 * ramp(2000, 4000, 1.0, norm),
    )


def ending_at(accuracy: float) -> Run:
    """A run of which only the final accuracy matters."""
    return Run(mirror_free=ramp(1000, 2000, 0.01, accuracy))


def memorizing_random_labels(accuracy: float) -> Run:
    """Random labels: nothing validates."""
    nothing = np.full(len(STEPS), np.nan)
    return Run(train=ramp(0, 2000, CHANCE, accuracy), mirror_free=nothing)


def world(
    runs: Callable[[int, int, int], Run],
    *,
    sizes: Sequence[int] = (8, 16, 32, 64),
    data_sizes: Sequence[int] = (400,),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    parameters: Callable[[int], int] = lambda size: 100 * size,
) -> xr.Dataset:
    """The dataset of an experiment whose run at (size, data size, seed) is `runs(...)`."""
    grid = Grid(tuple(sizes), tuple(data_sizes), len(seeds), 31, steps=6000, evaluate_every=100)

    def tell(point: Point) -> Run:
        return runs(point.size.hidden_size, point.data_size, seeds[point.seed])

    return grid.layout.dataset_of(tell, parameters).assign_coords(seed=list(seeds))


def single(run: Run) -> xr.Dataset:
    """The dataset of an experiment that is one run."""
    return world(lambda *_: run, sizes=(32,), seeds=(0,))


def shuffled(dataset: xr.Dataset, seed: int) -> xr.Dataset:
    """The same cells with every axis in another order."""
    generator = np.random.default_rng(seed)
    return dataset.isel(
        {name: generator.permutation(length) for name, length in dataset.sizes.items()}
    )
