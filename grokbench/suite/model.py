"""A suite that has been read and checked."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.schema import GRID


@dataclass(frozen=True)
class Experiment:
    """A task, an architecture, a recipe, and a grid of model sizes, data sizes and seeds."""

    name: str
    task: Choice
    architecture: Choice
    recipe: Recipe
    """The recipe, with the first value of each swept field."""
    model_sizes: tuple[ModelSize, ...]
    data_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    swept: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """The recipe fields that are given as lists. Each is one more axis, in the order of the file."""
    title: str = ""
    measures: tuple[Choice, ...] = ()
    quantities: Mapping[str, str] = field(default_factory=dict)
    """The variables that the measures record, each with its meaning in words."""

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
        """Every grid point: its index along `dimensions`, and its run."""
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
    """The bound by which a claim is judged. It is fixed before any run.

    With `at_least`, a claim is reproduced if the whole interval lies at or above the bound, not
    reproduced if the whole interval lies below, and otherwise undecided. With `at_most`, above and
    below are exchanged. Exactly one of the two is set.
    """

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


Expected = Literal["reproduced", "not reproduced", "undecided", "out of reach", "too close to call"]


Spending = Literal["equal", "pocock", "obrien_fleming"]


@dataclass(frozen=True)
class Sequential:
    """Seeds are added until the claims are decided: the looks at the data, fixed before training.

    At a look, every claim that is still open is judged on the first so many seeds of its cells.
    Claims that are decided stop. The seeds of the next look are trained only for the cells of the
    claims that are open.
    """

    looks: tuple[int, ...]
    """The number of seeds at each look, rising."""
    first_seed: int = 0
    spending: Spending = "equal"
    """How the probability of error is divided among the looks; see `grokbench.statistics.spending`."""
    futility: int | None = None
    """A claim that is expected to need more seeds than this stops: too close to call."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds, in the order in which they are trained."""
        return tuple(range(self.first_seed, self.first_seed + self.looks[-1]))

    def look_of(self, seed: int) -> int:
        """The index of the first look that uses a seed."""
        return bisect_right(self.looks, seed - self.first_seed)


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, as a detector, its experiments and a rule."""

    name: str
    statement: str
    detector: Choice
    experiments: Mapping[str, str]
    """The experiment for each role of the detector."""
    rule: Rule
    where: Mapping[str, Any] = field(default_factory=dict)
    """The part of the datasets that is judged: for each dimension, one label or a list of labels."""
    source: str = ""
    """The place in the paper: figure, section, takeaway."""
    minimum_seeds: int = 5
    expect: Expected = "reproduced"
    """The verdict that is known. `grokbench check` fails on any other."""
    calibrated_on: str = ""
    """What of the paper the recipe was chosen on, where that concerns this claim; "" if nothing."""


@dataclass(frozen=True)
class Suite:
    """Experiments, and claims about them."""

    name: str
    experiments: Mapping[str, Experiment]
    claims: Mapping[str, Claim]
    title: str = ""
    citation: str = ""
    plugins: Plugins = field(default_factory=Plugins, compare=False)
    """The plugins that the suite was checked against. They have all that runs and claims name."""
    text: str = ""
    """The text of the file, unchanged."""
    path: Path | None = None
    sequential: Sequential | None = None
    """The looks at the data; None where all seeds are trained before the claims are judged."""

    @property
    def run_count(self) -> int:
        """The number of `runs`. They are listed only where experiments may share some."""
        makings = {
            (experiment.task, experiment.architecture, experiment.measures)
            for experiment in self.experiments.values()
        }
        if len(makings) < len(self.experiments):
            return len(self.runs())
        return sum(math.prod(experiment.shape) for experiment in self.experiments.values())

    def runs(self) -> dict[str, Run]:
        """Every run by its id, in the order of the file. Experiments may share runs."""
        return {
            run.id: run for experiment in self.experiments.values() for _, run in experiment.grid()
        }
