"""A run, and the record that it leaves behind: the words that every other room shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

RECORD_SCHEMA = 1
"""Part of every run's identity: raised when what a record holds, or means, changes."""


class Status(IntEnum):
    """What became of a run; stored as CF flags, so that a NaN is always explained."""

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
    """A plugin's definition, chosen by name with options, all defaults spelled out."""

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
    """The size of a model: hidden size, and how many layers."""

    hidden_size: int
    layers: int = 1

    @property
    def label(self) -> int | str:
        """64 for one layer of 64; "8x1024" for eight of 1024 (as it is written in a suite)."""
        return self.hidden_size if self.layers == 1 else f"{self.layers}x{self.hidden_size}"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: full batch, a fixed number of steps."""

    optimizer: Choice
    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 1.0
    decay_on: str = "all"
    """`all` parameters, or `matrices` alone (no biases, no norm gains)."""
    warmup_steps: int = 10
    initial_scale: float = 1.0
    """Every initial weight is multiplied by it (Omnigrok's α)."""
    precision: str = "float32"
    """`float32` and `float64` in everything; `tf32` and `bfloat16` name what the factors of matrix
    products are rounded to, all else being float32."""
    evaluate_every: int = 100
    """Evaluations come at steps 0, 1, 2, 4, 8, … and then evenly, this many steps apart."""

    def evaluation_steps(self) -> tuple[int, ...]:
        """Dense early (powers of two below `evaluate_every`), even later, the last step always."""
        early = {0} | {2**k for k in range(64) if 2**k < min(self.evaluate_every, self.steps)}
        even = set(range(self.evaluate_every, self.steps, self.evaluate_every))
        return tuple(sorted(early | even | {self.steps}))


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
    """What is read off the model at every evaluation, beside loss and accuracy."""

    @cached_property
    def id(self) -> str:
        """The hash of all that decides the outcome: 32 hexadecimal digits.

        Not the device, not the cohort it was stacked in, not the order of the file.
        """
        decisive = {"schema": RECORD_SCHEMA, **asdict(self)}
        if not self.measures:  # a run that measures nothing is the one it was before there were any
            del decisive["measures"]
        spelled = canonical_json(decisive)
        return hashlib.sha256(spelled.encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Record:
    """What one run left behind.

    `steps` is [evaluations] int64. `curves` holds each of METRICS as [evaluations, parts] float32
    and `parameter_norm` as [evaluations] float32; an entry that does not exist (no validation
    examples in that part, or the run diverged before) is NaN. `examples` counts, for each part,
    the `train`, `validation` and `mirror_free` examples behind the metrics. `parts` has at least
    one name. `measured` holds what measures read off the model, each [evaluations] float32; a name
    is the measure's and the quantity's, `fourier_sparsity`.
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
    """The record of a run that raised an error before it could be measured."""
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
    """One spelling for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
