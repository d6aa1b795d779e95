"""Records into one tree of datasets: the full grid is allocated, then filled by index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.record import METRICS, Choice, Record, Status, canonical_json
from grokbench.store.agreement import agreeing
from grokbench.store.attributes import CONVENTIONS, COORDINATES, VARIABLES, quantity
from grokbench.store.records import EXAMPLES

if TYPE_CHECKING:
    from grokbench.suite.model import Experiment, Suite

SCHEMA = 1
"""Raised when the layout of the dataset changes."""


def assembled(
    suite: Suite, records: Mapping[str, Record], provenance: Mapping[str, Any]
) -> xr.DataTree:
    """One dataset an experiment, as `docs/results.md` describes them.

    A run that does not agree with the others of its experiment is there as failed.
    """
    attributes = {
        "Conventions": CONVENTIONS,
        "title": suite.title or suite.name,
        "references": suite.citation,
        "grokbench_schema": SCHEMA,
        "grokbench": json.dumps(provenance, sort_keys=True, allow_nan=False),
    }
    groups = {
        f"/{name}": _dataset(experiment, records) for name, experiment in suite.experiments.items()
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), **groups})


def _dataset(experiment: Experiment, records: Mapping[str, Record]) -> xr.Dataset:
    points = list(experiment.grid())
    found = agreeing(experiment, records)
    measured = [record for record in found.values() if record.steps.size]
    parts = measured[0].parts if measured else ("all",)
    steps = sorted(
        {step for recipe in {run.recipe for _, run in points} for step in recipe.evaluation_steps()}
        | {step for record in measured for step in record.steps.tolist()}
    )
    values = _empty(experiment.shape, len(steps), len(parts))
    for name in experiment.quantities:
        values[name] = np.full((*experiment.shape, len(steps)), np.nan, np.float32)
    parameters = np.zeros(len(experiment.model_sizes), np.int64)
    for index, run in points:
        values["run_id"][index] = run.id
        if run.id in found:
            record = found[run.id]
            _fill(values, index, record, np.searchsorted(steps, record.steps))
            parameters[index[-3]] = max(parameters[index[-3]], record.parameters)
    coordinates = _coordinates(experiment, steps, parts, parameters)
    variables = {
        name: _variable(name, experiment, array, len(parts)) for name, array in values.items()
    }
    return xr.Dataset(variables, coordinates, _attributes(experiment, parts))


def _empty(shape: tuple[int, ...], steps: int, parts: int) -> dict[str, npt.NDArray[Any]]:
    """Every variable of a grid in which nothing was run."""
    return {
        **{name: np.full((*shape, steps, parts), np.nan, np.float32) for name in METRICS},
        "parameter_norm": np.full((*shape, steps), np.nan, np.float32),
        "evaluated": np.zeros((*shape, steps), np.int8),
        "status": np.full(shape, Status.NOT_RUN, np.int8),
        **{f"{name}_examples": np.zeros((*shape, parts), np.int32) for name in EXAMPLES},
        "run_id": np.full(shape, "", dtype=object),
        "message": np.full(shape, "", dtype=object),
    }


def _fill(
    values: Mapping[str, npt.NDArray[Any]],
    index: tuple[int, ...],
    record: Record,
    at: npt.NDArray[np.intp],
) -> None:
    """Put a record in its place; `at` is where its steps lie among all steps."""
    values["status"][index] = record.status
    values["message"][index] = record.message
    if record.steps.size:
        values["evaluated"][index][at] = 1
        for name, curve in record.curves.items():
            values[name][index][at] = curve
        for name, counts in record.examples.items():
            values[f"{name}_examples"][index] = counts
        for name, curve in record.measured.items():
            values[name][index][at] = curve


def _coordinates(
    experiment: Experiment,
    steps: list[int],
    parts: tuple[str, ...],
    parameters: npt.NDArray[np.int64],
) -> dict[str, xr.Variable]:
    sizes = experiment.model_sizes
    along_size = {
        "model_size": axis_labels([size.label for size in sizes]),
        "hidden_size": np.array([size.hidden_size for size in sizes], np.int64),
        "layers": np.array([size.layers for size in sizes], np.int64),
        "parameters": parameters,
    }
    own_axis = {
        **{field: axis_labels(values) for field, values in experiment.swept.items()},
        "data_size": np.array(experiment.data_sizes, np.int64),
        "seed": np.array(experiment.seeds, np.int64),
        "step": np.array(steps, np.int64),
        **({"part": np.array(parts)} if len(parts) > 1 else {}),
    }
    return {
        **{name: _coordinate(name, "model_size", values) for name, values in along_size.items()},
        **{name: _coordinate(name, name, values) for name, values in own_axis.items()},
    }


def axis_labels(values: Any) -> npt.NDArray[Any]:
    """The coordinate of an axis: numbers where all are numbers, and otherwise text.

    An optimizer is labelled by its name where that tells it from the others, and otherwise by its
    options too.
    """
    if all(isinstance(value, Choice) for value in values):
        names = [choice.name for choice in values]
        return np.array(names if len(set(names)) == len(names) else [str(v) for v in values])
    if all(isinstance(value, (int, float)) for value in values):
        return np.array(values)
    return np.array([str(value) for value in values])


def _coordinate(name: str, dimension: str, values: npt.NDArray[Any]) -> xr.Variable:
    attributes = dict(COORDINATES.get(name, {"long_name": name.replace("_", " ")}))
    if values.dtype.kind in "if":
        attributes.setdefault("units", "1")
    return xr.Variable(dimension, values, attributes, _encoding(values))


def _variable(
    name: str, experiment: Experiment, values: npt.NDArray[Any], parts: int
) -> xr.Variable:
    dimensions, measured = experiment.dimensions, experiment.quantities.get(name)
    if measured is not None or name in METRICS or name in ("parameter_norm", "evaluated"):
        dimensions = (*dimensions, "step")
    if name in METRICS or name.endswith("_examples"):
        dimensions = (*dimensions, "part")
        if parts == 1:
            dimensions, values = dimensions[:-1], values[..., 0]
    attributes = VARIABLES[name] if measured is None else quantity(measured)
    return xr.Variable(dimensions, values, attributes, _encoding(values))


def _encoding(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Compressed, and without a fill value, which would lose the difference between two NaNs."""
    if values.dtype.kind not in "if":
        return {}
    return {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": None}


def _attributes(experiment: Experiment, parts: tuple[str, ...]) -> dict[str, str]:
    """What the experiment was, so that a group says it without the suite's file."""
    recipe = asdict(experiment.recipe) | {
        field: [asdict(v) if isinstance(v, Choice) else v for v in values]
        for field, values in experiment.swept.items()
    }
    measures = [asdict(measure) for measure in experiment.measures]
    return {
        "title": experiment.title or experiment.name,
        "task": canonical_json(asdict(experiment.task)),
        "architecture": canonical_json(asdict(experiment.architecture)),
        "recipe": canonical_json(recipe),
        "parts": json.dumps(parts),
        **({"measures": canonical_json(measures)} if measures else {}),
        **({"quantities": json.dumps(list(experiment.quantities))} if measures else {}),
    }
