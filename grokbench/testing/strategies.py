"""Hypothesis strategies: datasets as the store makes them, and suites as valid TOML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from hypothesis import strategies as st

# Imported here and not at the first draw, which takes hypothesis's health check one second at most.
from grokbench.phenomena import BUILT_IN
from grokbench.record import Choice, ModelSize, Recipe, Status
from grokbench.suite.model import Experiment
from grokbench.testing.simulator import Layout

Draw = st.DrawFn

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)


def distinct(values: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[Any]]:
    """A list of one value or more, each there once."""
    return st.lists(values, min_size=1, max_size=most, unique=True)


@st.composite
def datasets(
    draw: Draw, *, swept: bool | None = None, parts: int | None = None, most: int = 3
) -> xr.Dataset:
    """An experiment's dataset, of runs of any status, in the form in which the store assembles it.

    Sizes, amounts of data and seeds stand in any order. Runs may be missing, diverged or failed,
    and the experiment may have no validation examples.

    Args:
        swept: whether a recipe field is swept; either if None.
        parts: how many parts the task has; one or two if None.
        most: the most values along one dimension.
    """
    sweeps = draw(st.booleans()) if swept is None else swept
    parts = draw(st.integers(1, 2)) if parts is None else parts
    rates = tuple(draw(distinct(st.sampled_from([1e-4, 1e-3, 1e-2]), most)))
    size = st.builds(ModelSize, st.sampled_from([4, 8, 16, 64]), st.integers(1, 3))
    steps = draw(st.sampled_from([1, 7, 400]))
    experiment = Experiment(
        "drawn",
        Choice("modular_addition", {"modulus": 31, "split": "ordered"}),
        Choice("dense"),
        Recipe(Choice("adamw"), steps, learning_rate=rates[0], evaluate_every=20),
        tuple(draw(distinct(size, most))),
        tuple(draw(distinct(st.integers(1, 900), most))),
        tuple(draw(distinct(st.integers(0, 50), most))),
        {"learning_rate": rates} if sweeps else {},
    )
    runs = math.prod(experiment.shape)
    each = st.lists(st.sampled_from(Status), min_size=runs, max_size=runs)
    status = np.reshape(draw(each), experiment.shape)
    names = ("all",) if parts == 1 else tuple(f"part_{i}" for i in range(parts))
    noise = np.random.default_rng(draw(st.integers(0, 2**32)))
    return _drawn(Layout(experiment, names), status, draw(st.booleans()), noise)


def _drawn(
    layout: Layout, status: npt.NDArray[Any], validates: bool, noise: np.random.Generator
) -> xr.Dataset:
    """The dataset of runs with random curves; those of diverged runs are NaN after half way."""
    grid, steps = status.shape, len(layout.steps)
    shape = (*grid, steps, len(layout.parts))
    validation = 1.0 if validates else np.nan
    curves = {
        "train_loss": 5 * noise.random(shape),
        "train_accuracy": np.sort(noise.random(shape), axis=len(grid)),
        "validation_loss": 5 * noise.random(shape) * validation,
        "validation_accuracy": noise.random(shape) * validation,
        "mirror_free_accuracy": noise.random(shape) * validation,
        "parameter_norm": 1 + 20 * noise.random((*grid, steps)),
    }
    for curve in curves.values():
        later = np.moveaxis(curve, len(grid), 0)[steps // 2 :]
        later[:, status == Status.DIVERGED] = np.nan
    experiment = layout.experiment
    return layout.dataset(
        curves,
        examples={
            "train": np.broadcast_to(np.array(experiment.data_sizes)[:, None], grid),
            "validation": 100 * validates,
            "mirror_free": 50 * validates,
        },
        parameters=[12 * size.hidden_size**2 * size.layers for size in experiment.model_sizes],
        status=status,
        message="ValueError: drawn to fail",
    )


@st.composite
def suites(draw: Draw) -> str:
    """A suite as TOML, of grokbench's own definitions, in which there is no mistake."""
    recipes = {name: draw(recipe()) for name in draw(distinct(NAMES, 2))}
    experiments = {name: draw(experiment(sorted(recipes))) for name in draw(distinct(NAMES, 3))}
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    claims = {name: draw(claim(experiments)) for name in names}
    head = {"name": draw(NAMES), "title": draw(WORDS), "citation": draw(WORDS)}
    tables = {"recipes": recipes, "experiments": experiments, "claims": claims}
    lines = [f"{key} = {spelled(value)}" for key, value in head.items()]
    for kind, named in tables.items():
        for name, table in named.items():
            lines += ["", f"[{kind}.{name}]"]
            lines += [f"{key} = {spelled(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@st.composite
def recipe(draw: Draw) -> dict[str, Any]:
    """The fields of a recipe, of which some are swept."""
    optimizers = st.sampled_from(
        ["adamw", "sgd", {"name": "adamw", "betas": [0.9, 0.999]}, {"name": "sgd", "momentum": 0.5}]
    )
    fields: dict[str, st.SearchStrategy[Any]] = {
        "learning_rate": st.floats(1e-6, 1.0),
        "weight_decay": st.floats(0, 10),
        "decay_on": st.sampled_from(["all", "matrices"]),
        "warmup_steps": st.integers(0, 100),
        "initial_scale": st.floats(1e-3, 100),
        "precision": st.sampled_from(["float32", "float64"]),
        "norm": st.sampled_from(["free", "initial"]),
        "batch_size": st.integers(1, 1000),
        "evaluate_every": st.integers(1, 1000),
    }
    given = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    table = {"optimizer": draw(optimizers), "steps": draw(st.integers(1, 5000))}
    for name in given:
        value = fields[name]
        table[name] = draw(st.one_of(value, distinct(value, 3)))
    return table


@st.composite
def experiment(draw: Draw, recipes: Sequence[str]) -> dict[str, Any]:
    """An experiment that its task and its architecture can serve."""
    modulus = draw(st.integers(2, 31))
    pairs = modulus**2
    splits = {"split": draw(st.sampled_from(["ordered", "unordered"]))}
    operator = {"operator_token": draw(st.booleans())}
    memorized = {"memorization_size": draw(st.integers(1, pairs))}
    tasks: list[tuple[str, dict[str, Any]]] = [
        ("modular_addition", {**splits, **operator}),
        ("modular_subtraction", operator),
        ("modular_polynomial", {**splits, "polynomial": "x^2 + xy + y^2"}),
        ("modular_square", splits),
        ("random_labels", {}),
        ("mixture", {**splits, **memorized}),
    ]
    name, options = draw(st.sampled_from(tasks))
    architectures = ["dense", "split_ffn"] if name == "mixture" else ["dense"]
    hidden = st.integers(1, 64).map(lambda heads: 4 * heads)
    deep = st.tuples(st.integers(2, 9), hidden).map(lambda size: f"{size[0]}x{size[1]}")
    seeds = st.one_of(st.integers(1, 9), distinct(st.integers(0, 999), 4))
    return {
        "title": draw(WORDS),
        "task": {"name": name, "modulus": modulus, **options},
        "architecture": draw(st.sampled_from(architectures)),
        "recipe": draw(st.sampled_from(recipes)),
        "model_sizes": draw(distinct(st.one_of(hidden, deep), 4)),
        "data_sizes": draw(distinct(st.integers(1, pairs), 4)),
        "seeds": draw(seeds),
    }


@st.composite
def claim(draw: Draw, experiments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A claim about one or two of the experiments, each looked at whole or at one model size."""
    detector = draw(st.sampled_from([one for one in BUILT_IN if len(one.roles) <= 2]))
    names = st.sampled_from(sorted(experiments))
    table: dict[str, Any] = {
        "statement": draw(WORDS),
        "source": draw(WORDS),
        "detector": detector.name,
        "rule": {draw(st.sampled_from(["at_least", "at_most"])): draw(st.floats(-5, 5))},
        "minimum_seeds": draw(st.integers(1, 20)),
    }
    if len(detector.roles) > 1:
        return {**table, "experiments": {role: draw(names) for role in detector.roles}}
    chosen = draw(names)
    table["experiment"] = chosen
    if draw(st.booleans()):
        sizes = experiments[chosen]["model_sizes"]
        table["where"] = {"model_size": draw(st.sampled_from(sizes))}
    return table


def spelled(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {spelled(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
