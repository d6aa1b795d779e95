"""Datasets with a known truth, in the form in which `grokbench.store` assembles real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from grokbench.record import Status

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, *range(100, 6001, 100)])
CHANCE = 1 / 31


def ramp(start: float, end: float, low: float, high: float) -> np.ndarray:
    """A curve over STEPS: `low` up to the step `start`, `high` from the step `end`."""
    return np.interp(STEPS, [start, end], [low, high])


@dataclass(frozen=True)
class Run:
    """One run's curves over STEPS, or why there are none."""

    train: np.ndarray = field(default_factory=lambda: ramp(100, 500, CHANCE, 1.0))
    mirror_free: np.ndarray = field(default_factory=lambda: np.full(len(STEPS), 0.01))
    validation: np.ndarray | None = None
    """Plain validation accuracy; the mirror-free one unless given."""
    norm: np.ndarray = field(default_factory=lambda: np.full(len(STEPS), 20.0))
    status: Status = Status.DONE
    mirror_free_examples: int = 100


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
    return Run(train=ramp(0, 2000, CHANCE, accuracy), mirror_free=nothing, mirror_free_examples=0)


def world(
    runs: Callable[[int, int, int], Run],
    *,
    sizes: Sequence[int] = (8, 16, 32, 64),
    data_sizes: Sequence[int] = (400,),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    parameters: Callable[[int], int] = lambda size: 100 * size,
) -> xr.Dataset:
    """The dataset of an experiment whose run at (size, data size, seed) is `runs(...)`."""
    grid = (len(sizes), len(data_sizes), len(seeds))
    curves = {
        name: np.full((*grid, len(STEPS)), np.nan, np.float32)
        for name in ("train", "mirror_free", "validation", "norm")
    }
    status = np.zeros(grid, np.int8)
    examples = {name: np.zeros(grid, np.int32) for name in ("train", "validation", "mirror_free")}
    for index in np.ndindex(grid):
        i, j, k = index
        run = runs(sizes[i], data_sizes[j], seeds[k])
        status[index] = run.status
        if run.status is not Status.DONE:
            continue
        curves["train"][index] = run.train
        curves["mirror_free"][index] = run.mirror_free
        curves["validation"][index] = run.mirror_free if run.validation is None else run.validation
        curves["norm"][index] = run.norm
        examples["train"][index] = data_sizes[j]
        examples["mirror_free"][index] = run.mirror_free_examples
        validates = not np.isnan(curves["validation"][index]).all()
        examples["validation"][index] = 500 if validates else 0
    over = ("model_size", "data_size", "seed")
    stepwise: dict[str, Any] = {
        "train_accuracy": curves["train"],
        "validation_accuracy": curves["validation"],
        "mirror_free_accuracy": curves["mirror_free"],
        "parameter_norm": curves["norm"],
    }
    return xr.Dataset(
        {
            **{name: ((*over, "step"), values) for name, values in stepwise.items()},
            **{f"{name}_examples": (over, counts) for name, counts in examples.items()},
            "status": (over, status),
        },
        {
            "model_size": list(sizes),
            "parameters": ("model_size", [parameters(size) for size in sizes]),
            "data_size": list(data_sizes),
            "seed": list(seeds),
            "step": STEPS,
        },
    )


def single(run: Run) -> xr.Dataset:
    """The dataset of an experiment that is one run."""
    return world(lambda *_: run, sizes=(32,), seeds=(0,))


def shuffled(dataset: xr.Dataset, seed: int) -> xr.Dataset:
    """The same cells with every axis in another order."""
    generator = np.random.default_rng(seed)
    return dataset.isel(
        {name: generator.permutation(length) for name, length in dataset.sizes.items()}
    )
