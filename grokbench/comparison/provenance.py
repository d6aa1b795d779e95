"""What differs in the provenance of two results: versions, devices, suite, experiments."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from grokbench.store import provenance, suite_text

OF_A_SITTING = ("device", "processor", "platform", "python", "grokbench")

ABSENT = "–"


@dataclass(frozen=True)
class Contrast:
    """One thing that differs: its name, and all values that A and B had."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]


def contrasts(first: xr.DataTree, second: xr.DataTree) -> tuple[Contrast, ...]:
    """What A and B were trained with and on, where they differ.

    Results that were trained in several sittings have the values of all their sittings.
    """
    sides = [dict(_origins(tree)) for tree in (first, second)]
    return tuple(
        Contrast(name, *(side.get(name, (ABSENT,)) for side in sides))
        for name in dict.fromkeys(name for side in sides for name in side)
        if sides[0].get(name) != sides[1].get(name)
    )


def suite_difference(first: xr.DataTree, second: xr.DataTree) -> tuple[str, ...]:
    """The lines in which the texts of the suites differ, as `diff -u` shows them."""
    one, other = suite_text(first).splitlines(), suite_text(second).splitlines()
    return tuple(difflib.unified_diff(one, other, "A", "B", n=1, lineterm=""))


def _origins(tree: xr.DataTree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name → values: first of all sittings, then of every experiment's definition."""
    found: dict[str, set[str]] = {}
    for sitting in provenance(tree)["sittings"]:
        for name, value in _told(sitting):
            found.setdefault(name, set()).add(value)
    for name, values in found.items():
        yield name, tuple(sorted(values))
    for name, group in tree.children.items():
        for attribute in ("task", "architecture", "recipe"):
            for path, value in _leaves(json.loads(group.attrs[attribute])):
                yield f"{name}: {attribute}{path}", (value,)
        for measure in json.loads(group.attrs.get("measures", "[]")):
            for path, value in _leaves(measure):
                yield f"{name}: measure {measure['name']}{path}", (value,)


def _told(sitting: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in OF_A_SITTING:
        if name in sitting:
            yield name, str(sitting[name])
    for package, version in sitting.get("packages", {}).items():
        yield package, version
    for plugin, version in sitting.get("plugins", {}).items():
        yield f"plugin {plugin}", str(version)
    for plugin, digest in sitting.get("plugin_sha256", {}).items():
        yield f"SHA-256 of plugin {plugin}", digest
    if git := sitting.get("git"):
        yield "git revision", git["revision"] + (" with changes" if git["dirty"] else "")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The named values in a definition, each with its path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}")
    else:
        yield path, json.dumps(value, ensure_ascii=False)
