"""The definitions that a suite names, found without the code that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def named_in(document: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Kind and name of every definition that a parsed suite names, each with version 1.

    What is not as a suite should be is left out; reading the suite reports it.
    """
    return dict.fromkeys(_all_named(document), 1)


def _all_named(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for recipe in _tables(document, "recipes"):
        yield from _names("optimizer", recipe.get("optimizer"))
    for experiment in _tables(document, "experiments"):
        for kind in ("task", "architecture"):
            yield from _names(kind, experiment.get(kind))
        yield from _names("measure", experiment.get("measures"))
        own = experiment.get("recipe")
        if isinstance(own, dict):
            yield from _names("optimizer", own.get("optimizer"))
    for claim in _tables(document, "claims"):
        yield from _names("detector", claim.get("detector"))


def _tables(document: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    tables = document.get(key)
    if isinstance(tables, dict):
        yield from (table for table in tables.values() if isinstance(table, dict))


def _names(kind: str, given: Any) -> Iterator[tuple[str, str]]:
    """The names in a value that a suite may write as a name, as a table, or as a list of these."""
    for one in given if isinstance(given, list) else [given]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str) and name.isidentifier():
            yield kind, name
