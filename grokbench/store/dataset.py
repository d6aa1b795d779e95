"""The dataset of a suite: the whole grid is allocated, then each record is put in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.labels import labels_of
from grokbench.record import Choice, Record, canonical_json
from grokbench.schema import QUANTITY, VARIABLES, Variable
from grokbench.store.agreement import agreeing
from grokbench.store.attributes import (
    CONVENTIONS,
    COORDINATE_ATTRIBUTES,
    VARIABLE_ATTRIBUTES,
    quantity,
)

if TYPE_CHECKING:
    from grokbench.suite.model import Experiment, Suite

SCHEMA = 1
"""The layout of the dataset. It is raised when the layout changes."""

Arrays = dict[str, npt.NDArray[Any]]


def assembled(
    suite: Suite, records: Mapping[str, Record], provenance: Mapping[str, Any]
) -> xr.DataTree:
    """One dataset for each experiment, as docs/results.md describes.

    A run whose record disagrees with the other records of its experiment appears as failed.
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
    evaluated = [record for record in found.values() if record.steps.size]
    parts = evaluated[0].parts if evaluated else ("all",)
    steps = sorted(
        {step for recipe in {run.recipe for _, run in points} for step in recipe.evaluation_steps()}
        | {step for record in evaluated for step in record.steps.tolist()}
    )
    values = empty(experiment, len(steps), len(parts))
    parameters = np.zeros(len(experiment.model_sizes), np.int64)
    size_axis = experiment.dimensions.index("model_size")
    for index, run in points:
        values["run_id"][index] = run.id
        if run.id in found:
            record = found[run.id]
            _fill(values, index, record, np.searchsorted(steps, record.steps))
            size = index[size_axis]
            parameters[size] = max(parameters[size], record.parameters)
    return laid_out(experiment, values, steps, parts, parameters)


def empty(experiment: Experiment, steps: int, parts: int) -> Arrays:
    """The variables of an experiment without runs, each [*grid, step, part] or fewer of these axes."""
    lengths = {"step": steps, "part": parts}
    return {
        name: np.full(
            (*experiment.shape, *(lengths[axis] for axis in variable.axes)),
            variable.absent,
            variable.dtype,
        )
        for name, variable in _variables(experiment).items()
    }


def laid_out(
    experiment: Experiment,
    values: Arrays,
    steps: Sequence[int],
    parts: tuple[str, ...],
    parameters: npt.NDArray[np.int64],
) -> xr.Dataset:
    """An experiment's dataset, from arrays as `empty` makes them.

    Args:
        experiment: its grid gives the dimensions and the coordinates.
        values: the array of each variable.
        steps: of the evaluations.
        parts: the names of the task's parts.
        parameters: the number of parameters of each model, [model_size].
    """
    variables = _variables(experiment)
    return xr.Dataset(
        {
            name: _variable(name, variables[name], experiment, array)
            for name, array in values.items()
        },
        _coordinates(experiment, steps, parts, parameters),
        _attributes(experiment, parts),
    )


def _variables(experiment: Experiment) -> dict[str, Variable]:
    return {**VARIABLES, **dict.fromkeys(experiment.quantities, QUANTITY)}


def _fill(values: Arrays, index: tuple[int, ...], record: Record, at: npt.NDArray[np.intp]) -> None:
    """Put a record at its grid point; `at` holds the positions of its steps among all steps."""
    values["status"][index] = record.status
    values["message"][index] = record.message
    if not record.steps.size:
        return
    values["evaluated"][index][at] = 1
    for name, curve in {**record.curves, **record.measured}.items():
        if name in values:
            values[name][index][at] = curve
    for subset, counts in record.examples.items():
        values[f"{subset}_examples"][index] = counts


def _coordinates(
    experiment: Experiment,
    steps: Sequence[int],
    parts: tuple[str, ...],
    parameters: npt.NDArray[np.int64],
) -> dict[str, xr.Variable]:
    sizes = experiment.model_sizes
    along_size = {
        "model_size": _axis(sizes),
        "hidden_size": np.array([size.hidden_size for size in sizes], np.int64),
        "layers": np.array([size.layers for size in sizes], np.int64),
        "parameters": parameters,
    }
    own_axis = {
        **{field: _axis(values) for field, values in experiment.swept.items()},
        "data_size": np.array(experiment.data_sizes, np.int64),
        "seed": np.array(experiment.seeds, np.int64),
        "step": np.array(steps, np.int64),
        **({"part": np.array(parts)} if len(parts) > 1 else {}),
    }
    return {
        **{name: _coordinate(name, "model_size", values) for name, values in along_size.items()},
        **{name: _coordinate(name, name, values) for name, values in own_axis.items()},
    }


def _axis(values: tuple[Any, ...]) -> npt.NDArray[Any]:
    """The labels of an axis: numbers where all labels are numbers, and otherwise text."""
    labels = labels_of(values)
    if all(isinstance(label, (int, float)) for label in labels):
        return np.array(labels)
    return np.array([str(label) for label in labels])


def _coordinate(name: str, dimension: str, values: npt.NDArray[Any]) -> xr.Variable:
    attributes = dict(COORDINATE_ATTRIBUTES.get(name, {"long_name": name.replace("_", " ")}))
    if values.dtype.kind in "if":
        attributes.setdefault("units", "1")
    return xr.Variable(dimension, values, attributes, _encoding(values))


def _variable(
    name: str, variable: Variable, experiment: Experiment, values: npt.NDArray[Any]
) -> xr.Variable:
    axes = variable.axes
    if axes[-1:] == ("part",) and values.shape[-1] == 1:
        axes, values = axes[:-1], values[..., 0]
    if name in experiment.quantities:
        attributes = quantity(experiment.quantities[name])
    else:
        attributes = VARIABLE_ATTRIBUTES[name]
    return xr.Variable((*experiment.dimensions, *axes), values, attributes, _encoding(values))


def _encoding(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Compression without a fill value: a fill value would make different NaN bits equal."""
    if values.dtype.kind not in "if":
        return {}
    return {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": None}


def _attributes(experiment: Experiment, parts: tuple[str, ...]) -> dict[str, str]:
    """What the experiment was, so that a group can be read without the suite's file."""
    recipe = experiment.recipe.stored() | {
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
