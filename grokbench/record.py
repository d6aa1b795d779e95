"""A run, and the record of its training: the types that all other rooms share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

RECORD_SCHEMA = 1
"""Part of every run's id. It is raised when the content or the meaning of records changes."""

FIRST_FIELDS = frozenset(
    {
        "optimizer",
        "steps",
        "learning_rate",
        "weight_decay",
        "decay_on",
        "warmup_steps",
        "initial_scale",
        "precision",
        "evaluate_every",
    }
)
"""The recipe fields that are part of every run's id. A field that was added later is part of an id
only where it differs from its default, so that stored runs keep their ids."""


class Status(IntEnum):
    """The outcome of a run's training. The dataset stores it as CF flags."""

    NOT_RUN = 0
    DONE = 1
    DIVERGED = 2
    FAILED = 3

    @property
    def description(self) -> str:
        return {
            Status.NOT_RUN: "not trained yet",
            Status.DONE: "trained to the last step",
            Status.DIVERGED: "loss or parameters stopped being finite",
            Status.FAILED: "the task, the architecture, the optimizer or a measure raised an error",
        }[self]


@dataclass(frozen=True)
class Choice:
    """A definition by name, with all its options, defaults included."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    def __hash__(self) -> int:
        return hash(canonical_json(asdict(self)))

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name


@dataclass(frozen=True, order=True)
class ModelSize:
    """The size of a model: its hidden size and its number of layers."""

    hidden_size: int
    layers: int = 1

    @property
    def label(self) -> int | str:
        """The size as a suite writes it: 64 for one layer, "8x1024" for eight layers of 1024."""
        return self.hidden_size if self.layers == 1 else f"{self.layers}x{self.hidden_size}"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, for a fixed number of steps."""

    optimizer: Choice
    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 1.0
    decay_on: str = "all"
    """`all` parameters decay, or only the `matrices` (no biases and no gains of layer norms)."""
    warmup_steps: int = 10
    initial_scale: float = 1.0
    """The factor of all initial weights (α in Liu et al. 2022, Omnigrok)."""
    precision: str = "float32"
    """`float32` or `float64` for all numbers. With `tf32` and `bfloat16`, the factors of matrix
    products are rounded to that precision, and all else is float32."""
    norm: str = "free"
    """`free`, or `initial`: after every step the trained parameters are rescaled together, so that
    their joint L2 norm keeps its initial value (Liu et al. 2022, Omnigrok, arXiv:2210.01117)."""
    batch_size: int | None = None
    """The training examples of one step; all of them where this is None. Each epoch goes through all
    training examples in an order of its own. Its last batch has what is left, so that a run with
    fewer examples has full batches (as `torch.utils.data.DataLoader` with `drop_last=False`)."""
    evaluate_every: int = 100
    """Steps between two evaluations. Before the first of them, steps 0, 1, 2, 4, 8, … are evaluated."""

    def stored(self) -> dict[str, Any]:
        """All fields, as ids and results hold them: later fields only where they are no default."""
        later = later_defaults(self)
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in later or getattr(self, name) != later[name]
        }

    @property
    def evaluations(self) -> int:
        """The number of `evaluation_steps`, without listing them."""
        early = sum(1 for k in range(64) if 2**k < min(self.evaluate_every, self.steps))
        return 2 + early + len(range(self.evaluate_every, self.steps, self.evaluate_every))

    def evaluation_steps(self) -> tuple[int, ...]:
        """0, powers of two below `evaluate_every`, multiples of `evaluate_every`, and the last step."""
        early = {0} | {2**k for k in range(64) if 2**k < min(self.evaluate_every, self.steps)}
        even = set(range(self.evaluate_every, self.steps, self.evaluate_every))
        return tuple(sorted(early | even | {self.steps}))


def later_defaults(recipe: Recipe | type[Recipe] = Recipe) -> dict[str, Any]:
    """The default of each field that is not among FIRST_FIELDS: what results without it mean."""
    return {one.name: one.default for one in fields(recipe) if one.name not in FIRST_FIELDS}


@dataclass(frozen=True)
class Run:
    """One model to train: one point of an experiment's grid."""

    task: Choice
    architecture: Choice
    size: ModelSize
    data_size: int
    seed: int
    recipe: Recipe
    measures: tuple[Choice, ...] = ()
    """The measures that read quantities off the model at every evaluation."""

    @property
    def definitions(self) -> frozenset[tuple[str, str]]:
        """The kind and the name of each definition that the run is made of."""
        return frozenset(
            {
                ("task", self.task.name),
                ("architecture", self.architecture.name),
                ("optimizer", self.recipe.optimizer.name),
                *(("measure", measure.name) for measure in self.measures),
            }
        )

    @property
    def step_examples(self) -> int:
        """About how many examples a step takes: a task may train on more than the data size."""
        return min(self.data_size, self.recipe.batch_size or self.data_size)

    @cached_property
    def id(self) -> str:
        """The hash of everything that decides the outcome: 32 hexadecimal digits.

        The device, the cohort and the order of the suite file are not part of the id.
        """
        decisive = {"schema": RECORD_SCHEMA, **asdict(self), "recipe": self.recipe.stored()}
        if not self.measures:  # ids from before there were measures stay valid
            del decisive["measures"]
        spelled = canonical_json(decisive)
        return hashlib.sha256(spelled.encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Record:
    """The record of one run's training.

    Attributes:
        run_id: the run's id.
        status: how the training ended.
        parts: the names of the task's parts, at least one.
        steps: [evaluations] int64, the evaluated steps.
        curves: each of `schema.METRICS` as [evaluations, parts] float32, and `parameter_norm` as
            [evaluations] float32. A value is NaN if the part has no examples of the kind, or if the
            run had diverged.
        examples: for each of `schema.SUBSETS`, the number of examples in each part.
        parameters: the number of trainable parameters of the model.
        message: the error that the run raised, if any.
        measured: each quantity that a measure read off the model, as [evaluations] float32. A name
            consists of the measure's name and the quantity's, such as `fourier_sparsity`.
    """

    run_id: str
    status: Status
    parts: tuple[str, ...]
    steps: npt.NDArray[np.int64]
    curves: Mapping[str, npt.NDArray[np.float32]]
    examples: Mapping[str, tuple[int, ...]]
    parameters: int
    message: str = ""
    measured: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


def failed(run: Run, message: str) -> Record:
    """The record of a run that raised an error before its first evaluation."""
    return Record(
        run.id,
        Status.FAILED,
        ("all",),
        np.zeros(0, np.int64),
        {},
        {},
        parameters=0,
        message=message,
    )


def canonical_json(value: Any) -> str:
    """The JSON text of a value, the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
