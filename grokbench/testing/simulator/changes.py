"""Experiments changed in one respect: another order, lost runs, or no effect at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from grokbench.record import Status

World = Mapping[str, xr.Dataset]
"""An experiment's dataset for each of a detector's roles."""

GRID = ("model_size", "data_size", "seed")

OF_THE_CELL = ("train_examples", "run_id")
"""Variables that belong to a cell's place in the grid, whatever run is put there."""


def copied(world: World) -> dict[str, xr.Dataset]:
    """A deep copy, which a detector may write into."""
    return {role: data.copy(deep=True) for role, data in world.items()}


def shuffled(world: World, seed: int) -> World:
    """The same cells, with model sizes, data sizes and seeds in another order."""
    generator = np.random.default_rng(seed)
    return {
        role: data.isel({name: generator.permutation(data.sizes[name]) for name in GRID})
        for role, data in world.items()
    }


def without_runs(
    world: World, lost: Callable[[xr.DataArray], xr.DataArray], status: Status
) -> World:
    """The same cells, some of which were not run, diverged or failed.

    Args:
        world: whose runs are lost.
        lost: an experiment's `status` → true for the cells that lose their run.
        status: of these cells from now on. They hold NaN, and no examples.
    """
    changed = {}
    for role, data in world.items():
        gone = lost(data["status"])
        absent = {"f": np.nan, "i": 0}
        left = {
            name: variable.where(~gone, absent[variable.dtype.kind]).astype(variable.dtype)
            for name, variable in data.data_vars.items()
            if variable.dtype.kind in absent and name not in ("status", "train_examples")
        }
        left["status"] = data["status"].where(~gone, int(status)).astype(np.int8)
        changed[role] = data.copy(deep=True).assign(left)
    return changed


def null(world: World, seed: int) -> World:
    """The null hypothesis: each cell holds the run of a random cell; nothing depends on anything.

    Runs are exchanged between all experiments that hold the same variables of a run, so that the
    experiments do not differ either. The number of training examples stays with the cell;
    everything that is measured moves with the run.
    """
    generator = np.random.default_rng(seed)
    alike: dict[str, dict[str, xr.Dataset]] = {}
    for role, data in world.items():
        alike.setdefault(_held(data), {})[role] = data
    dealt: dict[str, xr.Dataset] = {}
    for experiments in alike.values():
        dealt |= dealt_anew(experiments, generator)
    return {role: dealt[role] for role in world}


def dealt_anew(world: World, generator: np.random.Generator) -> dict[str, xr.Dataset]:
    """Each cell with the run of some cell of these experiments, drawn with replacement."""
    pool = xr.concat([_run_by_run(data) for data in world.values()], "run")
    made = {}
    for role, data in world.items():
        drawn = generator.integers(pool.sizes["run"], size=data["status"].size)
        measured = {}
        for name, dealt in pool.isel(run=drawn).data_vars.items():
            dimensions = (*data["status"].dims, *dealt.dims[1:])
            values = dealt.to_numpy().reshape([data.sizes[one] for one in dimensions])
            measured[name] = (dimensions, values, data[name].attrs)
        made[role] = data.copy(deep=True).assign(measured)
    return made


def _held(data: xr.Dataset) -> str:
    """Which variables a run of this experiment has, at which steps and for which parts."""
    within = {name: data[name].to_numpy().tolist() for name in _within_a_run(data, data)}
    held = {str(name): _within_a_run(one, data) for name, one in data.data_vars.items()}
    return repr((within, sorted(held.items())))


def _run_by_run(data: xr.Dataset) -> xr.Dataset:
    """What is measured, with one dimension `run` in place of the grid's dimensions."""
    measured = data.drop_vars(OF_THE_CELL, errors="ignore").reset_coords(drop=True)
    stacked = measured.stack(run=data["status"].dims, create_index=False)
    return stacked.transpose("run", ...)


def _within_a_run(part: xr.Dataset | xr.DataArray, experiment: xr.Dataset) -> list[str]:
    """The dimensions that are not the experiment's grid's, in alphabetical order."""
    return sorted(str(name) for name in set(part.dims) - set(experiment["status"].dims))
