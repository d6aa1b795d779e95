"""Looks up the definitions that a suite names, and checks their options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from grokbench.catalogue import Catalogue
from grokbench.definition import Definition, Location, written
from grokbench.errors import OptionsError, PluginError, PluginFailure, UnknownNameError
from grokbench.plugins import guard
from grokbench.record import Choice, canonical_json
from grokbench.suite.mistakes import Report

T = TypeVar("T", bound=Definition)


@dataclass(frozen=True)
class Chosen(Generic[T]):
    """A definition with its options, and the choice that a run's id is computed from."""

    definition: T
    choice: Choice


def choose(
    given: str | Mapping[str, Any] | None, catalogue: Catalogue[T], at: Location, report: Report
) -> Chosen[T] | None:
    """Look up a definition.

    Args:
        given: a name, or a table with a name and options.
        catalogue: the definitions of the kind.
        at: the place of `given` in the file.
        report: receives the mistakes.

    Returns:
        None if something is wrong, or if nothing was given.
    """
    if given is None:
        return None
    name, at_name = (given, at) if isinstance(given, str) else (given.get("name"), (*at, "name"))
    if not isinstance(name, str):
        problem = "is missing" if name is None else f"write a name, not {written(name)}"
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
    # Options are part of a run's id as JSON, so what comes back from JSON must be the same.
    try:
        with guard(definition.name, OptionsError):
            made = definition.from_options(options)
            spelled = made.options.model_dump(mode="json", by_alias=True)
            canonical_json(spelled)
            spelled = json.loads(json.dumps(spelled))
            again = definition.from_options(spelled)
            unchanged = bool(again.options == made.options)
    except OptionsError as error:
        for mistake in error.mistakes:
            report.add((*at, mistake.place) if mistake.place else at, mistake.message)
        return None
    except PluginFailure as failure:
        report.add(at, f"{definition.name} refuses these options: {failure.told}")
        return None
    if not unchanged:
        report.add(
            at,
            f"{definition.name}.Options changes when stored as JSON: it became {written(spelled)}",
        )
        return None
    return Chosen(made, Choice(definition.name, spelled, definition.version))
