"""Reads the named recipes, and the recipe of each experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grokbench.definition import Location
from grokbench.errors import meant, nearest
from grokbench.plugins import Plugins
from grokbench.record import Recipe
from grokbench.suite.choices import choose
from grokbench.suite.mistakes import Report
from grokbench.suite.schema import ExperimentRecipeTable, RecipeTable

REQUIRED = {"optimizer", "steps"}

Fields = dict[str, Any]
"""The fields that a recipe gives, in the order of the file."""


@dataclass(frozen=True)
class SweptRecipe:
    """A recipe with the first value of each swept field, and all values of the swept fields."""

    recipe: Recipe
    swept: Mapping[str, tuple[Any, ...]]


def read_recipe(
    given: Mapping[str, Any],
    at: Location,
    plugins: Plugins,
    report: Report,
    table: type[RecipeTable] = RecipeTable,
) -> Fields:
    """The fields that the table at `at` gives: a value each, or a tuple; None where wrong."""
    read = table.read(given, at, report)
    fields = {}
    for key in table.repaired(given):
        if key in Recipe.__annotations__:
            value = getattr(read, key)
            if key == "optimizer":
                value = _optimizers(value, plugins, (*at, key), report)
            if isinstance(value, list):
                report.add_repeats((*at, key), value)
                value = complete(value)
            fields[key] = value
    return fields


def experiment_recipe(
    given: str | Mapping[str, Any] | None,
    recipes: Mapping[str, Fields],
    plugins: Plugins,
    at: Location,
    report: Report,
) -> SweptRecipe | None:
    """The recipe of an experiment: named, changed (`from = …`) or written out; None if wrong."""
    if given is None:
        return None
    name: Any = given
    at_name, changes = at, Fields()
    if not isinstance(given, str):
        name, at_name = ExperimentRecipeTable.repaired(given).get("from"), (*at, "from")
        changes = read_recipe(given, at, plugins, report, ExperimentRecipeTable)
    if isinstance(name, str) and name not in recipes:
        report.add(at_name, f"there is no recipe {name!r}; {nearest(name, recipes)}")
        name = meant(name, recipes)
        if name is None:
            return None
    based_on = recipes[name] if isinstance(name, str) else {}
    fields = {**based_on, **changes}
    for key in REQUIRED:
        if key not in fields:
            elsewhere = f" here or in recipes.{name}" if isinstance(name, str) else ""
            report.add((*at, key), f"is missing; write {key} = …{elsewhere}")
    if None in fields.values() or not fields.keys() >= REQUIRED:
        return None
    swept = {key: value for key, value in fields.items() if isinstance(value, tuple)}
    first = {key: value[0] if key in swept else value for key, value in fields.items()}
    return SweptRecipe(Recipe(**first), swept)


def complete(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """The values as a tuple; None if one of them is wrong."""
    return None if values is None or None in values else tuple(values)


def _optimizers(given: Any, plugins: Plugins, at: Location, report: Report) -> Any:
    """The optimizer, or a list of optimizers."""
    if isinstance(given, list):
        return [_optimizers(each, plugins, (*at, i), report) for i, each in enumerate(given)]
    chosen = choose(given, plugins.optimizers, at, report)
    return chosen.choice if chosen else None
