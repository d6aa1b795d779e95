"""What differs in where two results come from: versions, devices, the suite, its experiments."""

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
    """One thing that is not the same: its name, and all that it was in A and in B."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]


def contrasts(first: xr.DataTree, second: xr.DataTree) -> tuple[Contrast, ...]:
    """What A and B were trained with and on, as far as they differ.

    Results that took several sittings have every value that one of them had.
    """
    sides = [dict(_origins(tree)) for tree in (first, second)]
    return tuple(
        Contrast(name, *(side.get(name, (ABSENT,)) for side in sides))
        for name in dict.fromkeys(name for side in sides for name in side)
        if sides[0].get(name) != sides[1].get(name)
    )


def suite_difference(first: xr.DataTree, second: xr.DataTree) -> tuple[str, ...]:
    """The lines in which the suites' texts differ, as `diff -u` shows them."""
    one, other = suite_text(first).splitlines(), suite_text(second).splitlines()
    return tuple(difflib.unified_diff(one, other, "A", "B", n=1, lineterm=""))


def _origins(tree: xr.DataTree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and values, in an order to read them in."""
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


def _told(sitting: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in OF_A_SITTING:
        yield name, str(sitting[name])
    for package, version in sitting["packages"].items():
        yield package, version
    for plugin, version in sitting["plugins"].items():
        yield f"plugin {plugin}", str(version)
    if git := sitting["git"]:
        yield "git revision", git["revision"] + (" with changes" if git["dirty"] else "")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Everything in a definition that has a name of its own."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}")
    else:
        yield path, json.dumps(value, ensure_ascii=False)
