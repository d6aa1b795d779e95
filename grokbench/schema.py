"""The names that grokbench fixes, each written once. Data alone: no other room is imported.

docs/results.md describes the variables for readers; `store/attributes.py` has their meaning as
CF attributes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

DEFINITION_KINDS = ("task", "architecture", "optimizer", "measure", "detector")
"""What a plugin can register. The hook of each kind is `register_<kind>s`."""

METRICS = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "mirror_free_accuracy",
)
"""The curves that have one value for each evaluation and each part of the task."""

CURVES = (*METRICS, "parameter_norm")
"""All curves that training records. The norm is the whole model's: it has no parts."""

SUBSETS = ("train", "validation", "mirror_free")
"""The subsets of a task's examples that the metrics are means over."""

COUNTS = tuple(f"{subset}_examples" for subset in SUBSETS)
"""The variables that say how many examples each subset has."""

GRID = ("model_size", "data_size", "seed")
"""The dimensions of every experiment's grid. Each swept recipe field is one more, before these."""

SIZE_COORDINATES = ("hidden_size", "layers", "parameters")
"""The coordinates along `model_size` beside the label itself."""

COORDINATES = (*GRID, "step", "part", *SIZE_COORDINATES)


@dataclass(frozen=True)
class Variable:
    """How a variable of an experiment's dataset is laid out."""

    axes: tuple[str, ...]
    """The dimensions that follow the grid's. `part` is left out where a task has one part."""
    dtype: str
    absent: float | str
    """The value where no run was trained."""


VARIABLES: Mapping[str, Variable] = {
    **dict.fromkeys(METRICS, Variable(("step", "part"), "float32", math.nan)),
    "parameter_norm": Variable(("step",), "float32", math.nan),
    "evaluated": Variable(("step",), "int8", 0),
    "status": Variable((), "int8", 0),
    **dict.fromkeys(COUNTS, Variable(("part",), "int32", 0)),
    "run_id": Variable((), "object", ""),
    "message": Variable((), "object", ""),
}
"""The variables of every experiment's dataset, in the order of the file."""

QUANTITY = Variable(("step",), "float32", math.nan)
"""A variable that a measure adds."""

RECIPE_FIELDS = (
    "optimizer",
    "steps",
    "learning_rate",
    "weight_decay",
    "decay_on",
    "warmup_steps",
    "initial_scale",
    "precision",
    "norm",
    "batch_size",
    "evaluate_every",
)
"""The fields of a recipe. A field that a suite sweeps is a dimension with a coordinate of its name."""

RESERVED = frozenset({*VARIABLES, *COORDINATES, *RECIPE_FIELDS})
"""The names that no measure may give to a variable."""

LONGEST_NAME = 200
"""The most bytes in the name of a suite, an experiment, a claim or a variable. NetCDF takes 256 bytes,
file systems take 255, and grokbench puts a few characters before or after a name."""
