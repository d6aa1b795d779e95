"""Datasets with a known truth, put together by the store as it does real ones, for detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status
from grokbench.store.dataset import assembled
from grokbench.suite.model import Experiment, Suite

World = Mapping[str, xr.Dataset]
"""A dataset for each of a detector's roles."""

Floats = npt.NDArray[np.float64]

RECIPE = Recipe(Choice("adamw"), steps=2000, evaluate_every=100)
STEPS = np.array(RECIPE.evaluation_steps(), np.int64)
SIZES = (4, 8, 16, 32, 64, 128, 256)
DATA_SIZES = (200, 400, 800)
SEEDS = 5
CHANCE = 1 / 31


@dataclass(frozen=True)
class Story:
    """What becomes of one run: levels of accuracy, and when they are reached."""

    trained: float = 1.0
    memorized: float = 300
    generalized: float | None = 0.0
    """Final validation accuracy; None where nothing validates."""
    at: float = 1200
    """The step by which it has generalized."""
    norm: float = 1.0
    """The norm at the end over the norm when it had memorized."""

    def record(self, run: Run, parts: int = 1) -> Record:
        train = ramp(self.memorized / 4, self.memorized, CHANCE, self.trained)
        nothing = np.full(len(STEPS), np.nan)
        rises = nothing
        if self.generalized is not None:
            rises = ramp(0.6 * self.at, self.at, min(0.01, self.generalized), self.generalized)
        curves = {
            "train_loss": -np.log(np.clip(train, 1e-3, 1)),
            "train_accuracy": train,
            "validation_loss": -np.log(np.clip(rises, 1e-3, 1)),
            "validation_accuracy": rises,
            "mirror_free_accuracy": rises,
        }
        norm = 20 * ramp(self.memorized, max(self.at, self.memorized + 1), 1.0, self.norm)
        validates = 0 if self.generalized is None else 300
        counts = {"train": run.data_size, "validation": validates, "mirror_free": validates // 2}
        return Record(
            run.id,
            Status.DONE,
            ("all",) if parts == 1 else tuple(f"part_{i}" for i in range(parts)),
            STEPS,
            {
                **{
                    n: np.repeat(c[:, None], parts, 1).astype(np.float32) for n, c in curves.items()
                },
                "parameter_norm": norm.astype(np.float32),
            },
            {name: (count,) * parts for name, count in counts.items()},
            parameters=100 * run.size.hidden_size * run.size.layers,
        )


def ramp(start: float, end: float, low: float, high: float) -> Floats:
    """A curve over STEPS: `low` up to the step `start`, `high` from the step `end`."""
    return np.interp(STEPS, [start, end], [low, high])


Teller = Callable[[Run, np.random.Generator], Story]
"""What becomes of a run, with the noise of its seed."""


def grokking(run: Run, noise: np.random.Generator) -> Story:
    """It generalizes, late, where there is more data than a size needs: larger ones need less."""
    needed = 300 * np.sqrt(32 / run.size.hidden_size) * np.exp(0.25 * noise.standard_normal())
    if run.data_size < needed:
        low = float(np.clip(0.04 + 0.02 * noise.standard_normal(), 0, 0.09))
        return Story(generalized=low, norm=float(np.exp(0.1 * noise.standard_normal())))
    ratio = float(0.75 * np.exp(0.1 * noise.standard_normal()))
    return Story(generalized=1.0, at=float(1000 + 300 * noise.random()), norm=ratio)


def dipping(run: Run, noise: np.random.Generator) -> Story:
    """Final accuracy rises, falls and rises again along model size."""
    place = np.log2(run.size.hidden_size)
    accuracy = np.interp(place, [2, 4, 6, 8], [0.2, 0.8, 0.4, 0.95])
    final = float(np.clip(accuracy + 0.05 * noise.standard_normal(), 0, 1))
    return Story(generalized=final, norm=float(np.exp(0.1 * noise.standard_normal())))


def memorizing(run: Run, noise: np.random.Generator) -> Story:
    """Random labels: what a size holds is in proportion to its parameters."""
    held = 0.05 * run.size.hidden_size**0.6 * np.exp(0.1 * noise.standard_normal())
    return Story(trained=float(min(1.0, held)), memorized=1500, generalized=None)


def dataset(
    tell: Teller,
    *,
    sizes: Sequence[int | str] = SIZES,
    data_sizes: Sequence[int] = DATA_SIZES,
    seeds: int = SEEDS,
    parts: int = 1,
    swept: Mapping[str, tuple[float, ...]] | None = None,
    salt: int = 0,
) -> xr.Dataset:
    """The dataset of an experiment, each of whose runs is as it is told; `salt` is its noise."""
    experiment = Experiment(
        "world",
        Choice("modular_addition", {"modulus": 31, "split": "ordered"}),
        Choice("dense"),
        RECIPE,
        tuple(size_of(size) for size in sizes),
        tuple(data_sizes),
        tuple(range(seeds)),
        dict(swept or {}),
    )
    records = {
        run.id: tell(run, np.random.default_rng([*index, salt])).record(run, parts)
        for index, run in experiment.grid()
    }
    suite = Suite("worlds", {"world": experiment}, {})
    return assembled(suite, records, {"sittings": []})["world"].to_dataset()


def size_of(label: int | str) -> ModelSize:
    layers, _, hidden = str(label).rpartition("x")
    return ModelSize(int(hidden), int(layers or 1))


def candidates(roles: Sequence[str]) -> Iterator[World]:
    """Worlds that a detector with such roles may have something to say about."""
    for chosen in product(*(shapes(salt) for salt in range(len(roles)))):
        yield copied(dict(zip(roles, chosen, strict=True)))


@cache
def shapes(salt: int) -> tuple[xr.Dataset, ...]:
    """One role's dataset in each of them."""
    line = (400,)
    return (
        dataset(grokking, salt=salt),
        dataset(grokking, data_sizes=line, salt=salt),
        dataset(dipping, data_sizes=line, salt=salt),
        dataset(memorizing, data_sizes=line, salt=salt),
    )


def copied(world: World) -> World:
    """The same, for somebody who may write into it."""
    return {role: data.copy(deep=True) for role, data in world.items()}


def oddities(roles: Sequence[str]) -> dict[str, World]:
    """Worlds of shapes that a suite may have and that a detector may not think of."""
    alike = {
        "a task in two parts": dataset(grokking, parts=2),
        "a swept learning rate": dataset(
            grokking, data_sizes=(400,), swept={"learning_rate": (1e-3, 3e-3)}
        ),
        "sizes of several layers": dataset(
            grokking, sizes=(32, 64, "2x64", "4x64"), data_sizes=(400,)
        ),
        "a single run": dataset(grokking, sizes=(64,), data_sizes=(400,), seeds=1),
    }
    return {name: dict.fromkeys(roles, one) for name, one in alike.items()}


def shuffled(world: World, seed: int) -> World:
    """The same cells, with model sizes, data sizes and seeds in another order."""
    generator = np.random.default_rng(seed)
    return {
        role: data.isel(
            {
                name: generator.permutation(data.sizes[name])
                for name in ("model_size", "data_size", "seed")
            }
        )
        for role, data in world.items()
    }


def null(world: World, seed: int) -> World:
    """A world in which nothing depends on anything: each cell holds some cell's run, at random.

    Runs are dealt out among all experiments that hold the same of a run, so that it makes no
    difference either to which of them a cell belongs. How many examples train stays with the cell;
    everything measured comes with the run.
    """
    generator = np.random.default_rng(seed)
    alike: dict[str, dict[str, xr.Dataset]] = {}
    for role, data in world.items():
        alike.setdefault(what_is_held(data), {})[role] = data
    dealt: dict[str, xr.Dataset] = {}
    for experiments in alike.values():
        dealt |= dealt_anew(experiments, generator)
    return {role: dealt[role] for role in world}


CELL = ("train_examples", "run_id")
"""What belongs to a cell's place in the grid, whatever run is in it."""


def what_is_held(data: xr.Dataset) -> str:
    """Which variables a run of this experiment has, at which steps and for which parts."""
    within = {name: data[name].to_numpy().tolist() for name in dimensions_within(data, data)}
    held = {str(name): dimensions_within(one, data) for name, one in data.data_vars.items()}
    return repr((within, sorted(held.items())))


def dealt_anew(world: World, generator: np.random.Generator) -> dict[str, xr.Dataset]:
    """Each cell with the run of some cell of these experiments, drawn with replacement."""
    pool = xr.concat([run_by_run(data) for data in world.values()], "run")
    made = {}
    for role, data in world.items():
        drawn = generator.integers(pool.sizes["run"], size=data["status"].size)
        made[role] = data.copy(deep=True)
        for name, dealt in pool.isel(run=drawn).data_vars.items():
            dimensions = (*data["status"].dims, *dealt.dims[1:])
            values = dealt.to_numpy().reshape([data.sizes[one] for one in dimensions])
            made[role][name] = (dimensions, values, data[name].attrs)
    return made


def run_by_run(data: xr.Dataset) -> xr.Dataset:
    """What is measured, with one dimension `run` in place of the grid's."""
    measured = data.drop_vars(CELL, errors="ignore").reset_coords(drop=True)
    stacked = measured.stack(run=data["status"].dims, create_index=False)
    return stacked.transpose("run", ...)


def dimensions_within(part: xr.Dataset | xr.DataArray, experiment: xr.Dataset) -> list[str]:
    """The dimensions of one run, in order: those that are not the experiment's grid's."""
    return sorted(str(name) for name in set(part.dims) - set(experiment["status"].dims))


def without_runs(
    world: World, lost: Callable[[xr.DataArray], xr.DataArray], status: Status
) -> World:
    """The world with some cells never run, or diverged: NaN, and a status that says so."""
    made = {}
    for role, data in world.items():
        gone = lost(data["status"])
        kept = data.copy(deep=True)
        for name, variable in data.data_vars.items():
            if variable.dtype.kind == "f":
                kept[name] = variable.where(~gone).astype(variable.dtype)
            elif variable.dtype.kind == "i" and name not in ("status", "train_examples"):
                kept[name] = variable.where(~gone, 0).astype(variable.dtype)
        kept["status"] = data["status"].where(~gone, int(status)).astype(np.int8)
        made[role] = kept
    return made
