"""Simulated runs drawn as curves, with the flaws that real ones have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.record import Status
from grokbench.schema import COUNTS, METRICS
from grokbench.testing.simulator.grid import Floats, Grid
from grokbench.testing.simulator.laws import Law, Runs

FLOOR = 0.01
"""Accuracy on validation examples before anything has generalized."""


@dataclass(frozen=True)
class Flaws:
    """What hides the truth."""

    noise: float = 0.01
    """The standard deviation of an evaluation where accuracy is one half."""
    slingshots: float = 0.01
    """The share of evaluations after generalizing that are far below."""
    mirror_leak: float = 0.3
    """The share of validation examples whose mirror is learned that a memorizing model answers."""
    missing: float = 0.0
    """The share of cells that were not run."""
    crashed: float = 0.0
    """The share of seeds all of whose runs failed."""


FLAWLESS = Flaws(0, 0, 0)


def simulate(
    law: Law, grid: Grid, seed: int | Sequence[int], flaws: Flaws | None = None
) -> xr.Dataset:
    """An experiment's dataset, as the store would have assembled it from trained runs.

    Args:
        law: what becomes of runs; its fields are the truth.
        grid: which runs there are, and when they are evaluated.
        seed: of every random number. It shares nothing with the seeds of the grid.
        flaws: what hides the truth; `Flaws()` unless given, in which every run finishes.
    """
    flaws = flaws or Flaws()
    generator = np.random.default_rng(seed)
    drawn = _drawn(law.runs(grid, generator), grid, flaws, generator)
    status = _status(grid, flaws, generator)
    done = status == Status.DONE
    data = grid.empty()
    data["status"].values[:] = status
    data["message"].values[status == Status.FAILED] = "RuntimeError: simulated to crash"
    data["evaluated"].values[done] = 1
    data["parameters"].values[:] = grid.parameters
    for name, curve in drawn.items():
        data[name].values[:] = np.where(done[..., None], curve, np.nan)
    counts = {"train": grid.examples, **_validation(grid)}
    for name, along_data in counts.items():
        data[f"{name}_examples"].values[:] = np.where(done, along_data[:, None], 0)
    return data if len(grid.parts) == 1 else _in_parts(data, grid)


def _validation(grid: Grid) -> dict[str, Floats]:
    """How many examples validate, and how many of them have no mirror in training."""
    if grid.random_labels:
        return {name: np.zeros(len(grid.data_sizes)) for name in ("validation", "mirror_free")}
    left = grid.pairs - grid.examples
    return {"validation": left, "mirror_free": np.round(left * (1 - grid.examples / grid.pairs))}


def _drawn(
    runs: Runs, grid: Grid, flaws: Flaws, generator: np.random.Generator
) -> dict[str, Floats]:
    """The curves, [model_size, data_size, seed, step]."""
    steps = grid.empty()["step"].to_numpy().astype(float)

    def until(end: Floats, start: float = 0.0) -> Floats:
        """How far each run has come, from 0 at `start` times the step `end` to 1 at it."""
        return np.asarray(np.clip((steps / end[..., None] - start) / (1 - start), 0, 1))

    def noisy(accuracy: Floats) -> Floats:
        spread = 2 * flaws.noise * np.sqrt(np.clip(accuracy * (1 - accuracy), 0, None))
        return np.asarray(np.clip(accuracy + spread * generator.standard_normal(shape), 0, 1))

    shape = (*grid.shape, len(steps))
    risen = until(runs.at, 0.6)
    thrown = (generator.random(shape) < flaws.slingshots) & (risen == 1)
    kept = np.where(thrown, generator.uniform(0.1, 0.9, shape), 1.0)
    train = noisy(grid.chance + (runs.trained[..., None] - grid.chance) * until(runs.memorized))
    floor = np.minimum(FLOOR, runs.generalized)[..., None]
    mirror_free = noisy(floor + (runs.generalized[..., None] - floor) * risen) * kept
    mirrored = (grid.examples / grid.pairs)[None, :, None, None]
    leaked = np.maximum(mirror_free, flaws.mirror_leak * train)
    validation = (1 - mirrored) * mirror_free + mirrored * leaked
    grown = 0.5 * until(np.minimum(runs.memorized, 0.25 * runs.at))
    train = train * kept
    return {
        "train_accuracy": train,
        "validation_accuracy": validation,
        "mirror_free_accuracy": mirror_free,
        "train_loss": _loss(train),
        "validation_loss": _loss(validation),
        "parameter_norm": 20 * (1 + grown) * runs.norm[..., None] ** risen,
    }


def _loss(accuracy: Floats) -> Floats:
    """Of a model whose certainty is its accuracy."""
    return np.asarray(-np.log(np.clip(accuracy, 1e-3, 1 - 1e-6)))


def _status(grid: Grid, flaws: Flaws, generator: np.random.Generator) -> Floats:
    lost = generator.random(grid.shape) < flaws.missing
    crashed = generator.random(grid.seeds) < flaws.crashed
    status = np.where(lost, Status.NOT_RUN, Status.DONE)
    return np.where(crashed & ~lost, Status.FAILED, status)


def _in_parts(data: xr.Dataset, grid: Grid) -> xr.Dataset:
    """The same with one more part of random labels for each further name, all learned alike."""
    first, others = data, data.copy(deep=True)
    for name in ("validation_loss", "validation_accuracy", "mirror_free_accuracy"):
        others[name].values[:] = np.nan
    for name in ("validation_examples", "mirror_free_examples"):
        others[name].values[:] = 0
    split = [*METRICS, *COUNTS]
    along = xr.Variable("part", np.array(grid.parts), {"long_name": "part of the task"})
    every = [first[split], *[others[split]] * (len(grid.parts) - 1)]
    joined = xr.concat(every, along, combine_attrs="override")
    ordered = joined.transpose("model_size", "data_size", "seed", ..., "part")
    return data.drop_vars(split).merge(ordered, combine_attrs="override")
