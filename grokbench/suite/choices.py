"""Looks up the definitions that a suite names, and checks their options."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from grokbench.catalogue import Catalogue
from grokbench.definition import Definition, Location, written
from grokbench.errors import OptionsError, PluginError, PluginFailure, UnknownNameError, meant
from grokbench.plugins import guard
from grokbench.plugins.stand_ins import StandIn
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

    A misspelt name or key is reported, and the definition that was probably meant is returned: so the
    mistakes that only the definition knows of are found at the same time. A suite with any mistake is
    rejected, so that nothing is made of a guess.

    Args:
        given: a name, or a table with a name and options.
        catalogue: the definitions of the kind.
        at: the place of `given` in the file.
        report: receives the mistakes.

    Returns:
        None if something is wrong and nothing can be guessed, or if nothing was given.
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
        guess = meant(name, catalogue)
        if guess is None:
            return None
        definition = catalogue[guess]
    if issubclass(definition, StandIn):
        loaded = [one for one in catalogue if not issubclass(catalogue[one], StandIn)]
        if guess := meant(name, loaded):
            report.suspect(
                at_name,
                f"there is no {catalogue.kind} {name!r} outside the plugins of the suite, which are not "
                f"loaded while there are mistakes; did you mean {guess!r}?",
            )
    options = {} if isinstance(given, str) else {k: v for k, v in given.items() if k != "name"}
    return _with_options(definition, options, at, report)


def with_keys_meant(given: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """A table in which each misspelt key is the key that was meant; other unknown keys are left out."""
    names = set(known)
    found: dict[str, Any] = {}
    for key, value in given.items():
        right = key if key in names else meant(key, names - given.keys())
        if right is not None:
            found.setdefault(right, value)
    return found


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
        repaired = with_keys_meant(options, definition.Options.model_fields)
        # Options without the unknown keys may be wrong in other ways, which were reported above.
        return _with_options(definition, repaired, at, Report({})) if repaired != options else None
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
