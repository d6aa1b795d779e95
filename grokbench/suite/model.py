"""What a suite says, once it has been read and checked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.schema import GRID


@dataclass(frozen=True)
class Experiment:
    """Task × architecture × recipe × grid."""

    name: str
    task: Choice
    architecture: Choice
    recipe: Recipe
    """With the first value of each swept field."""
    model_sizes: tuple[ModelSize, ...]
    data_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    swept: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Recipe fields that were given as a list: one more axis each, in the order of the file."""
    title: str = ""
    measures: tuple[Choice, ...] = ()
    quantities: Mapping[str, str] = field(default_factory=dict)
    """What the measures record: the name of each variable, and what it is in words."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the grid's axes, in the dataset's order."""
        return (*self.swept, *GRID)

    @property
    def shape(self) -> tuple[int, ...]:
        return (
            *(len(values) for values in self.swept.values()),
            len(self.model_sizes),
            len(self.data_sizes),
            len(self.seeds),
        )

    def grid(self) -> Iterator[tuple[tuple[int, ...], Run]]:
        """Every point of the grid: its index along `dimensions`, and its run."""
        axes = (*self.swept.values(), self.model_sizes, self.data_sizes, self.seeds)
        for index in itertools.product(*(range(len(axis)) for axis in axes)):
            *fields, size, data_size, seed = (axis[i] for axis, i in zip(axes, index, strict=True))
            recipe = replace(self.recipe, **dict(zip(self.swept, fields, strict=True)))
            yield (
                index,
                Run(self.task, self.architecture, size, data_size, seed, recipe, self.measures),
            )


@dataclass(frozen=True)
class Rule:
    """When a claim counts as reproduced, fixed before any run.

    `at_least`: reproduced when the whole interval lies at or above it, not reproduced when the
    whole interval lies below. `at_most`: the other way round. Exactly one of them is set.
    """

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


Expected = Literal["reproduced", "not reproduced", "undecided"]


@dataclass(frozen=True)
class Claim:
    """What a paper says a detector will find."""

    name: str
    statement: str
    detector: Choice
    experiments: Mapping[str, str]
    """The detector's role for each dataset → the experiment that plays it."""
    rule: Rule
    where: Mapping[str, Any] = field(default_factory=dict)
    """A selection of the datasets: dimension → one value, or a list of them."""
    source: str = ""
    """Where the paper says so: figure, section, takeaway."""
    minimum_seeds: int = 5
    expect: Expected = "reproduced"
    """What is known to come of it; anything else is a surprise."""


@dataclass(frozen=True)
class Suite:
    """Experiments and claims, with a citation."""

    name: str
    experiments: Mapping[str, Experiment]
    claims: Mapping[str, Claim]
    title: str = ""
    citation: str = ""
    plugins: Plugins = field(default_factory=Plugins, compare=False)
    """What the suite was checked against: all that its runs and claims name."""
    text: str = ""
    """The file, word for word."""
    path: Path | None = None

    def runs(self) -> dict[str, Run]:
        """Every run by its identity, in the order of the file; experiments may share runs."""
        return {
            run.id: run for experiment in self.experiments.values() for _, run in experiment.grid()
        }
