"""The readings that are compared: numbers read off every run of a cell."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.labels import text_of
from grokbench.readout import (
    canonical,
    finished,
    generalization_accuracy,
    of_part,
    settled,
    sustained_crossing,
)
from grokbench.readout.dynamics import Thresholds
from grokbench.record import Choice, Status, later_defaults
from grokbench.statistics.intervals import Floats

Point = tuple[tuple[str, str], ...]
"""The place of a cell in the grid: each dimension but `seed`, with its value as text."""


class ReadingName(NamedTuple):
    """What was read, and off which part of the task."""

    measured: str
    part: str = ""
    """Empty where the task has one part, and for readings of the whole model."""


FINISHED = ReadingName("finished")

SHARES = ("finished", "train_accuracy", "validation_accuracy", "mirror_free_accuracy")
"""Readings between 0 and 1. Their means over runs are shown; of all other readings the medians."""

STEPS = ("memorized_step", "generalized_step")
"""Readings that are steps; infinite where a run did not reach the level by its last step."""

NORM = "parameter_norm"


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of one cell that were trained, to the last step or until they diverged."""

    seeds: npt.NDArray[np.int64]
    run_ids: tuple[str, ...]
    readings: Mapping[ReadingName, Floats]
    """[runs] each; NaN where a run has no such reading."""
    last_step: int


def cells_of(dataset: xr.Dataset, also: Mapping[str, Any] | None = None) -> dict[Point, Runs]:
    """Every cell of an experiment in which at least one run was trained.

    Args:
        dataset: the experiment's dataset.
        also: dimensions to add, each with the one value that all runs of the experiment have.
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


def readings_of(data: xr.Dataset) -> dict[ReadingName, xr.DataArray]:
    """Every reading over the grid; NaN for runs that did not finish."""
    found = {FINISHED: finished(data).astype(float)}
    # These belong to the whole model. Where the task has parts, the first part's training accuracy
    # tells `settled` whether the run collapsed at the end.
    whole = of_part(data, None)
    for name in (NORM, *json.loads(data.attrs.get("quantities", "[]"))):
        found[ReadingName(name)] = settled(whole, name)
    levels = Thresholds()
    parts = [str(name) for name in data["part"].to_numpy()] if "part" in data.dims else [None]
    for part in parts:
        one = of_part(data, part)
        train, accuracy = one["train_accuracy"], generalization_accuracy(one)
        curves = {
            "train_accuracy": train,
            "validation_accuracy": one["validation_accuracy"],
            "mirror_free_accuracy": accuracy,
        }
        for name, curve in curves.items():
            found[ReadingName(name, part or "")] = settled(one, curve)
        for name, curve, level in (
            ("memorized_step", train, levels.memorized_at),
            ("generalized_step", accuracy, levels.generalized_at),
        ):
            step = sustained_crossing(one, curve, level, levels.sustained)
            measured = finished(one) & curve.notnull().any("step")
            found[ReadingName(name, part or "")] = step.fillna(np.inf).where(measured)
    return found


def on_one_scale(
    name: ReadingName, first: Floats, second: Floats, last_step: int
) -> tuple[Floats, Floats]:
    """The readings of two groups of runs, on the scale on which their means are compared.

    Accuracies stay as they are. Norms are compared by their natural logarithms and steps by their
    logarithms to base 2, so that a difference is a ratio. The unit of a measured quantity is
    unknown, so it is divided by the largest absolute value of both groups; an infinite value
    counts as twice the largest finite one.

    Args:
        name: what was read.
        first: [runs] of A.
        second: [runs] of B.
        last_step: the last step that both sides trained to. A step beyond it was not reached by
            then, and counts as twice `last_step`.
    """
    both = np.concatenate([first, second])
    if name.measured == NORM:
        both = np.log(np.maximum(both, np.finfo(float).tiny))
    elif name.measured in STEPS:
        reached = np.where(both > last_step, 2.0 * last_step, both)
        both = np.where(np.isnan(both), np.nan, np.log2(np.maximum(reached, 1)))
    elif name.measured not in SHARES:
        largest = np.abs(both[np.isfinite(both)]).max(initial=0)
        both = np.clip(both / (largest or 1), -2, 2)
    return both[: len(first)], both[len(first) :]


def average(name: ReadingName, values: Floats) -> float:
    """The mean over runs of a share, the median of any other reading; NaN entries are left out.

    The median is NaN where half of the runs have −∞ and half have ∞.
    """
    known = np.sort(values[~np.isnan(values)])
    if name.measured in SHARES:
        return float(np.mean(known))
    low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
    if low == high:
        return float(low)
    return math.nan if np.isinf([low, high]).all() else float(low / 2 + high / 2)


def fixed_fields(dataset: xr.Dataset, dimensions: set[str]) -> dict[str, Any]:
    """The values of those recipe fields that another experiment sweeps and this one does not."""
    # Results do not hold a later field at its default.
    recipe = later_defaults() | json.loads(dataset.attrs["recipe"])
    values = {name: recipe[name] for name in dimensions if name in recipe}
    return {
        name: Choice(**value).name if isinstance(value, dict) else value
        for name, value in values.items()
    }
