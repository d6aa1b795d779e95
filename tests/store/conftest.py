"""A small suite, and records as training would leave them, without any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status, failed
from grokbench.schema import METRICS
from grokbench.suite.model import Experiment, Suite

ADDITION = Choice("modular_addition", {"modulus": 31})
ADAMW = Choice("adamw", {"beta2": 0.98})


def make_experiment(name: str = "addition", **changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "task": ADDITION,
        "architecture": Choice("dense", {"heads": 4}),
        "recipe": Recipe(optimizer=ADAMW, steps=20, evaluate_every=8),
        "model_sizes": (ModelSize(8), ModelSize(16)),
        "data_sizes": (350, 450, 550),
        "seeds": (0, 1),
        "title": "Addition",
    }
    return Experiment(name=name, **(fields | changes))


def make_suite(*experiments: Experiment, text: str = "name = 'small'\n") -> Suite:
    return Suite(
        name="small",
        experiments={e.name: e for e in experiments or (make_experiment(),)},
        claims={},
        title="A small suite",
        citation="Huang et al. 2024, arXiv:2402.15175",
        text=text,
    )


def make_record(
    run: Run,
    status: Status = Status.DONE,
    parts: tuple[str, ...] = ("all",),
    **changes: Any,
) -> Record:
    """What a run might leave: curves that differ from run to run and are the same every time."""
    if status is Status.FAILED:
        return failed(run, changes.get("message", "RuntimeError: out of memory"))
    random = np.random.default_rng(int(run.id, 16))
    steps = np.array(run.recipe.evaluation_steps())
    curves = {name: random.random((steps.size, len(parts)), np.float32) for name in METRICS}
    curves["parameter_norm"] = random.random(steps.size, np.float32)
    if status is Status.DIVERGED:
        for curve in curves.values():
            curve[steps.size // 2 :] = np.nan
    fields: dict[str, Any] = {
        "steps": steps,
        "curves": curves,
        "examples": {
            "train": tuple(run.data_size + i for i in range(len(parts))),
            "validation": tuple(961 - run.data_size + i for i in range(len(parts))),
            "mirror_free": tuple(range(len(parts))),
        },
        "parameters": 100 * run.size.hidden_size * run.size.layers,
    }
    return Record(run_id=run.id, status=status, parts=parts, **(fields | changes))


def spelled(record: Record) -> tuple[Any, ...]:
    """All that a record holds, down to the bits of its NaNs."""

    def bits(array: Any) -> tuple[str, tuple[int, ...], bytes]:
        return str(array.dtype), array.shape, array.tobytes()

    return (
        record.run_id,
        record.status,
        record.parts,
        bits(record.steps),
        {name: bits(curve) for name, curve in record.curves.items()},
        dict(record.examples),
        record.parameters,
        record.message,
    )


def spelled_all(records: Mapping[str, Record]) -> dict[str, tuple[Any, ...]]:
    return {run_id: spelled(record) for run_id, record in records.items()}


@pytest.fixture(scope="session")
def experiment() -> Callable[..., Experiment]:
    return make_experiment


@pytest.fixture(scope="session")
def suite() -> Callable[..., Suite]:
    return make_suite


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    return make_record


@pytest.fixture(scope="session")
def bits() -> Callable[[Mapping[str, Record]], dict[str, tuple[Any, ...]]]:
    return spelled_all


@pytest.fixture(scope="session")
def sitting() -> Callable[..., dict[str, Any]]:
    def make(device: str = "cpu", text: str = "name = 'small'\n") -> dict[str, Any]:
        return {"suite": {"name": "small", "text": text}, "sittings": [{"device": device}]}

    return make
