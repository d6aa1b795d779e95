"""Definitions that a suite chooses by name and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from grokbench.catalogue import Catalogue
from grokbench.definition import Definition, Location
from grokbench.errors import OptionsError, PluginError, UnknownNameError
from grokbench.plugins import describe
from grokbench.record import Choice, canonical_json
from grokbench.suite.mistakes import Report

T = TypeVar("T", bound=Definition)


@dataclass(frozen=True)
class Chosen(Generic[T]):
    """A definition with its options, and how a run's identity spells it."""

    definition: T
    choice: Choice


def choose(
    given: str | Mapping[str, Any] | None, catalogue: Catalogue[T], at: Location, report: Report
) -> Chosen[T] | None:
    """What `given` (a name, or a table with a name and options) chooses; None if it is wrong."""
    if given is None:
        return None
    name, at_name = (given, at) if isinstance(given, str) else (given.get("name"), (*at, "name"))
    if not isinstance(name, str):
        problem = "is missing" if name is None else f"write a name, not {name!r}"
        report.add(at_name, problem)
        return None
    try:
        definition = catalogue[name]
    except (UnknownNameError, PluginError) as error:
        report.add(at_name, str(error))
        return None
    options = {} if isinstance(given, str) else {k: v for k, v in given.items() if k != "name"}
    return _with_options(definition, options, at, report)


def _with_options(
    definition: type[T], options: Mapping[str, Any], at: Location, report: Report
) -> Chosen[T] | None:
    try:
        made = definition.from_options(options)
        spelled = made.options.model_dump(mode="json", by_alias=True)
        canonical_json(spelled)
        again = definition.from_options(spelled)
    except OptionsError as error:
        for mistake in error.mistakes:
            report.add((*at, mistake.place) if mistake.place else at, mistake.message)
        return None
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        report.add(at, f"{definition.name} does not take these options: {describe(error)}")
        return None
    if again.options != made.options:
        report.add(at, f"{definition.name}.Options does not survive JSON: it became {spelled}")
        return None
    return Chosen(made, Choice(definition.name, spelled, definition.version))
