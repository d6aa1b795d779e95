"""What is read off every run, cell by cell: how it ended, and when it learnt."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.labels import text_of
from grokbench.readout.curves import (
    canonical,
    finished,
    generalization_accuracy,
    of_part,
    settled,
    sustained_crossing,
)
from grokbench.readout.dynamics import Thresholds
from grokbench.record import Choice, Status
from grokbench.statistics.permutation import Floats

Point = tuple[tuple[str, str], ...]
"""Where a cell lies: each dimension but `seed`, and its value as text."""

Name = tuple[str, str]
"""A reading, and the part of the task that it was read from ("" where there is one, or none)."""

STEPS = ("memorized_step", "generalized_step")
"""Readings that are steps; infinite where a run did not get there by its last one."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of one cell that were trained, to the end or until they diverged."""

    seeds: npt.NDArray[np.int64]
    run_ids: tuple[str, ...]
    readings: Mapping[Name, Floats]
    """[runs] each; NaN where a run has no such reading."""
    last_step: int


def cells_of(dataset: xr.Dataset, also: Mapping[str, Any] | None = None) -> dict[Point, Runs]:
    """Every cell of an experiment in which a run was trained.

    Args:
        dataset: an experiment's.
        also: dimensions that it does not have, with the one value that all its runs have there.
    """
    data = canonical(dataset)
    for dimension, value in (also or {}).items():
        data = data.expand_dims({dimension: [value]})
    dimensions = sorted(str(name) for name in data["status"].dims if name != "seed")
    grid = (*dimensions, "seed")

    def laid_out(array: xr.DataArray) -> npt.NDArray[Any]:
        return array.transpose(*grid).to_numpy()

    status = laid_out(data["status"])
    trained = (status == int(Status.DONE)) | (status == int(Status.DIVERGED))
    run_ids = laid_out(data["run_id"])
    readings = {name: laid_out(reading) for name, reading in readings_of(data).items()}
    labels = [[text_of(label) for label in data[name].to_numpy().tolist()] for name in dimensions]
    found = {}
    for index in itertools.product(*(range(len(axis)) for axis in labels)):
        there = trained[index]
        if there.any():
            point = tuple(
                (n, axis[i]) for n, axis, i in zip(dimensions, labels, index, strict=True)
            )
            found[point] = Runs(
                seeds=data["seed"].to_numpy()[there],
                run_ids=tuple(str(run_id) for run_id in run_ids[index][there]),
                readings={name: values[index][there] for name, values in readings.items()},
                last_step=int(data["step"].max()),
            )
    return found


def readings_of(data: xr.Dataset) -> dict[Name, xr.DataArray]:
    """Every reading over the grid; NaN for runs that did not finish."""
    found = {("finished", ""): finished(data).astype(float)}
    norm = settled(data, "parameter_norm") if "part" not in data.dims else _norm(data)
    found["parameter_norm", ""] = norm
    limits = Thresholds()
    parts: list[str | None] = [None]
    if "part" in data.dims:
        parts = [str(name) for name in data["part"].to_numpy()]
    for part in parts:
        one = of_part(data, part)
        train, accuracy = one["train_accuracy"], generalization_accuracy(one)
        curves = {
            "train_accuracy": train,
            "validation_accuracy": one["validation_accuracy"],
            "mirror_free_accuracy": accuracy,
        }
        for name, curve in curves.items():
            found[name, part or ""] = settled(one, curve)
        for name, curve, level in (
            ("memorized_step", train, limits.memorized_at),
            ("generalized_step", accuracy, limits.generalized_at),
        ):
            step = sustained_crossing(one, curve, level, limits.sustained)
            measured = finished(one) & curve.notnull().any("step")
            found[name, part or ""] = step.fillna(np.inf).where(measured)
    return found


def _norm(data: xr.Dataset) -> xr.DataArray:
    """The final norm of all parameters, which no part of the task has for itself."""
    return settled(of_part(data, None), "parameter_norm")


def comparable(name: Name, values: Floats, last_step: int) -> Floats:
    """A reading on the scale on which differences are measured.

    Accuracies as they are, norms by their logarithm, steps by their logarithm to base 2. A step
    beyond `last_step`, the last one that both sides trained to, has not been reached by then and
    counts as twice that.
    """
    if name[0] == "parameter_norm":
        return np.log(np.maximum(values, np.finfo(float).tiny))
    if name[0] in STEPS:
        reached = np.where(values > last_step, 2.0 * last_step, values)
        return np.where(np.isnan(values), np.nan, np.log2(np.maximum(reached, 1)))
    return values


def fixed_fields(dataset: xr.Dataset, dimensions: set[str]) -> dict[str, Any]:
    """The values of recipe fields that this experiment does not sweep, and another one does."""
    recipe = json.loads(dataset.attrs["recipe"])
    values = {name: recipe[name] for name in dimensions if name in recipe}
    return {
        name: Choice(**value).name if isinstance(value, dict) else value
        for name, value in values.items()
    }


def typical(name: Name, values: Floats) -> float:
    """What runs have in the middle: the mean of shares and accuracies, the median of all else."""
    there = values[~np.isnan(values)]
    ranked = name[0] in (*STEPS, "parameter_norm")
    return float(np.median(there) if ranked else np.mean(there))
