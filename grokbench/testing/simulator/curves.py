"""Simulated runs drawn as curves, with the flaws that real ones have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.record import Status
from grokbench.testing.simulator.grid import Grid
from grokbench.testing.simulator.laws import Law, Runs
from grokbench.testing.simulator.layout import Floats, loss_of

FLOOR = 0.01
"""Accuracy on validation examples before a model has generalized."""


@dataclass(frozen=True)
class Flaws:
    """What hides the truth."""

    noise: float = 0.01
    """The standard deviation of an evaluation where accuracy is one half."""
    slingshots: float = 0.01
    """The share of evaluations after generalization whose accuracy is far below."""
    mirror_leak: float = 0.3
    """The share of validation examples with a mirror in training that memorization answers."""
    missing: float = 0.0
    """The share of cells that were not run."""
    crashed: float = 0.0
    """The share of seeds all of whose runs failed."""


FLAWLESS = Flaws(0, 0, 0)


def simulate(
    law: Law, grid: Grid, seed: int | Sequence[int], flaws: Flaws | None = None
) -> xr.Dataset:
    """An experiment's dataset, in the form in which the store assembles trained runs.

    Args:
        law: what becomes of runs; its fields are the truth.
        grid: which runs there are, and when they are evaluated.
        seed: of every random number. It is independent of the seeds of the grid.
        flaws: what hides the truth; `Flaws()` if None, with which every run finishes.
    """
    flaws = flaws or Flaws()
    generator = np.random.default_rng(seed)
    runs = law.runs(grid, generator)
    curves = _drawn(runs, grid, flaws, generator)
    return grid.layout.dataset(
        {name: _in_parts(name, curve, grid) for name, curve in curves.items()},
        examples={name: _in_parts(name, one, grid) for name, one in _examples(runs, grid).items()},
        parameters=grid.parameters,
        status=_status(grid, flaws, generator),
        message="RuntimeError: simulated to crash",
    )


def _examples(runs: Runs, grid: Grid) -> dict[str, Floats]:
    """How many examples train, validate, and validate without a mirror in training: [*grid]."""
    train = np.broadcast_to(grid.examples[:, None], grid.shape)
    validation = np.where(np.isnan(runs.generalized), 0, grid.pairs - train)
    mirror_free = np.round(validation * (1 - train / grid.pairs))
    return {"train": train, "validation": validation, "mirror_free": mirror_free}


def _in_parts(name: str, values: Floats, grid: Grid) -> Floats:
    """The same for each part; in all but the first, labels are random and nothing validates."""
    if len(grid.parts) == 1 or name.startswith(("train", "parameter")):
        return values
    nothing = np.full_like(values, 0 if name in ("validation", "mirror_free") else np.nan)
    return np.stack([values, *[nothing] * (len(grid.parts) - 1)], axis=-1)


def _drawn(
    runs: Runs, grid: Grid, flaws: Flaws, generator: np.random.Generator
) -> dict[str, Floats]:
    """The curves, [*grid, step]."""
    steps = np.array(grid.layout.steps, float)
    shape = (*grid.shape, len(steps))

    def until(end: Floats, start: float = 0.0) -> Floats:
        """How far each run has come: 0 up to `start` times the step `end`, 1 from that step on."""
        return np.asarray(np.clip((steps / end[..., None] - start) / (1 - start), 0, 1))

    def noisy(accuracy: Floats) -> Floats:
        # A binomial proportion's standard deviation, which is largest at one half.
        spread = 2 * flaws.noise * np.sqrt(np.clip(accuracy * (1 - accuracy), 0, None))
        return np.asarray(np.clip(accuracy + spread * generator.standard_normal(shape), 0, 1))

    # The order of the draws is part of the results that docs/detectors.md reports.
    risen = until(runs.at, 0.6)
    thrown = (generator.random(shape) < flaws.slingshots) & (risen == 1)
    kept = np.where(thrown, generator.uniform(0.1, 0.9, shape), 1.0)
    train = noisy(grid.chance + (runs.trained[..., None] - grid.chance) * until(runs.memorized))
    floor = np.minimum(FLOOR, runs.generalized)[..., None]
    mirror_free = noisy(floor + (runs.generalized[..., None] - floor) * risen) * kept
    # A validation example's mirror is trained with the probability that any pair is.
    mirrored = (grid.examples / grid.pairs)[:, None, None]
    leaked = np.maximum(mirror_free, flaws.mirror_leak * train)
    validation = (1 - mirrored) * mirror_free + mirrored * leaked
    grown = 0.5 * until(np.minimum(runs.memorized, 0.25 * runs.at))
    train = train * kept
    losses = [loss_of(train), loss_of(validation)]
    if runs.losses is not None:
        losses = [_falling(last[..., None], until(runs.at)) for last in runs.losses]
    return {
        "train_accuracy": train,
        "validation_accuracy": validation,
        "mirror_free_accuracy": mirror_free,
        "train_loss": losses[0],
        "validation_loss": losses[1],
        "parameter_norm": 20 * (1 + grown) * runs.norm[..., None] ** risen,
    }


def _falling(last: Floats, share: Floats) -> Floats:
    """A loss that goes from 1 to its last value, in a line on a logarithmic scale."""
    return np.asarray(last**share)


def _status(grid: Grid, flaws: Flaws, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    lost = generator.random(grid.shape) < flaws.missing
    crashed = generator.random(grid.seeds) < flaws.crashed
    status = np.where(lost, Status.NOT_RUN, Status.DONE)
    return np.where(crashed & ~lost, Status.FAILED, status)
