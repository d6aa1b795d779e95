"""Reads the experiments, and asks task and architecture whether they can serve the grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from grokbench.amounts import amount, size
from grokbench.architectures.base import Architecture
from grokbench.definition import Location
from grokbench.errors import PluginFailure
from grokbench.plugins import Plugins, guard
from grokbench.plugins.stand_ins import NotLoadedError, StandIn
from grokbench.record import ModelSize, Recipe
from grokbench.schema import METRICS
from grokbench.suite.choices import Chosen, choose
from grokbench.suite.measures import read_measures
from grokbench.suite.mistakes import Report, ask
from grokbench.suite.model import Experiment, Sequential
from grokbench.suite.recipes import Fields, SweptRecipe, complete, experiment_recipe
from grokbench.suite.schema import ExperimentTable
from grokbench.tasks.base import Task

MOST_RUNS = 1_000_000
"""More runs of an experiment than this are taken for a typing error. Planning takes about a minute for so
many."""

MOST_EVALUATIONS = 1_000_000
"""More evaluations of a run than this are taken for a typing error."""

MOST_BYTES = 32 * 10**9
"""The most bytes of an experiment's curves. They are held in memory when the dataset is assembled."""


@dataclass(frozen=True)
class Draft:
    """An experiment, as far as it is right.

    Attributes:
        axes: for each dimension, the values that a claim can select; None if a value is wrong.
        experiment: None unless everything is right.
    """

    axes: Mapping[str, tuple[Any, ...] | None]
    experiment: Experiment | None


def read_experiment(
    name: str,
    given: Mapping[str, Any],
    recipes: Mapping[str, Fields],
    plugins: Plugins,
    sequential: Sequential | None,
    report: Report,
) -> Draft:
    at: Location = ("experiments", name)
    report.add_bad_name(at, name)
    table = ExperimentTable.read(given, at, report)
    given = ExperimentTable.repaired(given)
    if sequential is None and "seeds" not in given:
        report.add((*at, "seeds"), "is missing")
    elif sequential is not None and "seeds" in given:
        report.add((*at, "seeds"), "leave this out: [sequential] says which seeds are trained")
    task = choose(table.task, plugins.tasks, (*at, "task"), report)
    architecture = choose(table.architecture, plugins.architectures, (*at, "architecture"), report)
    recipe = experiment_recipe(table.recipe, recipes, plugins, (*at, "recipe"), report)
    for key in ("model_sizes", "data_sizes", "seeds"):
        report.add_repeats((*at, key), getattr(table, key) or [])
    if task:
        _check_judgement(task.definition, at, report)
        _check_data_sizes(task.definition, table.data_sizes or [], at, report)
    if task and architecture:
        _check_model_sizes(
            architecture.definition, task.definition, table.model_sizes or [], at, report
        )
    measured = read_measures(
        table.measures,
        plugins,
        (
            task.definition if task else None,
            architecture.definition if architecture else None,
            table.model_sizes or [],
        ),
        (*at, "measures"),
        report,
    )
    listed = table.seeds if sequential is None else list(sequential.seeds)
    sizes, data_sizes, seeds = (
        complete(values) for values in (table.model_sizes, table.data_sizes, listed)
    )
    parts_axis = _parts_axis(task, (*at, "task"), report)
    if (
        recipe
        and _few_evaluations(recipe, (*at, "recipe"), report)
        and sizes
        and data_sizes
        and seeds
    ):
        shape = [*map(len, recipe.swept.values()), len(sizes), len(data_sizes), len(seeds)]
        parts = len(parts_axis.get("part") or ("all",))
        quantities = len(measured.quantities) if measured else 0
        _check_amount(math.prod(shape), recipe, parts, quantities, at, report)
    experiment = None
    if task and architecture and recipe and sizes and data_sizes and seeds and measured:
        experiment = Experiment(
            name=name,
            task=task.choice,
            architecture=architecture.choice,
            recipe=recipe.recipe,
            model_sizes=sizes,
            data_sizes=data_sizes,
            seeds=seeds,
            swept=recipe.swept,
            title=table.title or "",
            measures=measured.choices,
            quantities=measured.quantities,
        )
    axes = {
        **(recipe.swept if recipe else dict.fromkeys(Recipe.__annotations__)),
        **_optimizer_axis(recipe, plugins),
        "model_size": sizes,
        "data_size": data_sizes,
        "seed": seeds,
        **parts_axis,
    }
    return Draft(axes, experiment)


def _few_evaluations(recipe: SweptRecipe, at: Location, report: Report) -> bool:
    """Report more evaluations of a run than anybody could look at; false if there are so many."""
    most = _most_evaluations(recipe)
    if most > MOST_EVALUATIONS:
        report.add(
            at,
            f"a run would be evaluated {amount(most)} times, and {amount(MOST_EVALUATIONS)} times at most "
            f"can be stored; write a larger evaluate_every, or fewer steps",
        )
    return most <= MOST_EVALUATIONS


def _most_evaluations(recipe: SweptRecipe) -> int:
    """The most evaluations of a run of the experiment."""
    steps = recipe.swept.get("steps", (recipe.recipe.steps,))
    every = recipe.swept.get("evaluate_every", (recipe.recipe.evaluate_every,))
    return replace(recipe.recipe, steps=max(steps), evaluate_every=min(every)).evaluations


def _check_amount(
    runs: int, recipe: SweptRecipe, parts: int, quantities: int, at: Location, report: Report
) -> None:
    """Report a grid that has too many runs, or whose results do not fit into memory."""
    if runs > MOST_RUNS:
        report.add(
            at,
            f"has {amount(runs)} runs, and {amount(MOST_RUNS)} at most can be planned; write fewer sizes, "
            f"seeds or values of the recipe",
        )
        return
    numbers = runs * _most_evaluations(recipe) * (len(METRICS) * parts + 1 + quantities)
    if 4 * numbers > MOST_BYTES:
        report.add(
            at,
            f"the curves of its {amount(runs)} runs would take {size(4 * numbers)}, and "
            f"{size(MOST_BYTES)} at most are held in memory; write a larger evaluate_every, or fewer runs",
        )


def _optimizer_axis(recipe: SweptRecipe | None, plugins: Plugins) -> dict[str, None]:
    """The dimension `optimizer`, if its labels are unknown: they have all options of a plugin."""
    swept = recipe.swept.get("optimizer", ()) if recipe else ()
    unknown = any(issubclass(plugins.optimizers[one.name], StandIn) for one in swept)
    return {"optimizer": None} if unknown else {}


def _parts_axis(
    task: Chosen[Task] | None, at: Location, report: Report
) -> dict[str, tuple[str, ...] | None]:
    """The dimension `part`, which a dataset has if the task has more than one part."""
    if task is None:
        return {"part": None}
    name = task.definition.name
    try:
        with guard(name, NotLoadedError):
            parts: object = task.definition.parts
    except NotLoadedError:
        return {"part": None}
    except PluginFailure as failure:
        report.add(at, f"{name} raised an error when asked for its parts: {failure.told}")
        return {"part": None}
    if type(parts) is not tuple or not all(type(one) is str and one for one in parts) or not parts:
        report.add(
            at, f"{name}.parts is no tuple of names; write ('all',), or a name for each part"
        )
        return {"part": None}
    return {} if len(parts) < 2 else {"part": parts}


def _check_judgement(task: Task, at: Location, report: Report) -> None:
    """A judgement that would count every answer as correct, or none, raises an error."""

    def judge() -> None:
        _ = task.judgement

    if complaint := ask(task.name, judge):
        report.add((*at, "task"), complaint)


def _check_data_sizes(
    task: Task, data_sizes: Sequence[int | None], at: Location, report: Report
) -> None:
    answers = [
        None if size is None else ask(task.name, partial(task.check, size)) for size in data_sizes
    ]
    _report_each(answers, (*at, "data_sizes"), (*at, "task"), report)


def _check_model_sizes(
    architecture: Architecture,
    task: Task,
    sizes: Sequence[ModelSize | None],
    at: Location,
    report: Report,
) -> None:
    answers = [
        None if size is None else ask(architecture.name, partial(architecture.refuses, task, size))
        for size in sizes
    ]
    _report_each(answers, (*at, "model_sizes"), (*at, "architecture"), report)


def _report_each(
    answers: Iterable[str | None], at_each: Location, at_all: Location, report: Report
) -> None:
    """Report each complaint at its value, or one complaint that all values share at `at_all`."""
    complaints = {index: answer for index, answer in enumerate(answers) if answer}
    if len(complaints) > 1 and len(set(complaints.values())) == 1:
        report.add(at_all, complaints.popitem()[1])
        return
    for index, complaint in complaints.items():
        report.add((*at_each, index), complaint)
