"""Suites with mistakes that nobody thought of: right suites in which single values are changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Literally:
    """A value that is written as it stands, because Python does not write it."""

    text: str


ODD = (
    None,
    True,
    0,
    1,
    -1,
    3,
    2**63,
    10**400,
    Literally("1" * 5000),
    Literally("0x" + "f" * 5000),
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "x",
    "8x16",
    "0x0",
    "\0.py",
    "../../nothing.py",
    "Größe ≥ 1 \x1b[31m\x7f\n::error::\U0001f600",
    "a" * 5000,
    datetime(2026, 1, 1),  # noqa: DTZ001 - TOML has times without a zone
    [],
    [[]],
    [1, 1],
    [None, "x", 1.5],
    ["adamw", "sgd"],
    {},
    {"name": "adamw"},
    {"name": {}},
    {"peek": [4]},
    {"at_least": 0, "at_most": 0},
)
"""What a value is replaced by. None is written as an empty table, because TOML has no null."""

TEXTS = (
    "\ufeff",
    "\0",
    "\r",
    "[",
    "]",
    "=",
    '"',
    "#",
    "'''",
    "a.b = 1\n",
    "[claims.x]\n",
    "\u2028",
)
"""What is put into a text."""


@st.composite
def documents(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A parsed suite with one to three changes."""
    changed: dict[str, Any] = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            break
        *around, last = draw(st.sampled_from(places))
        inside: Any = changed
        for step in around:
            inside = inside[step]
        how = draw(st.sampled_from(["replace", "replace", "delete", "rename", "move"]))
        if how == "replace":
            inside[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif how == "move":
            *around, other = draw(st.sampled_from(places))
            from_there: Any = changed
            for step in around:
                from_there = from_there[step]
            inside[last] = copy.deepcopy(from_there[other])
        elif how == "rename" and isinstance(inside, dict):
            inside[draw(st.sampled_from([f"{last}s", last[1:], last.upper()]))] = inside.pop(last)
        else:
            del inside[last]
    return changed


@st.composite
def suites(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """The bytes of a suite with changes in its values or in its text."""
    text = toml(draw(documents(document)))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 40)))
        text = text[:at] + draw(st.sampled_from(TEXTS)) + text[end:]
    content = text.encode()
    if draw(st.integers(0, 19)) == 0:
        content = content.replace(b"a", b"\xff", 1)
    return content


def toml(document: dict[str, Any]) -> str:
    """The TOML text of a document, one line for each key."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in document.items())


def _value(value: Any) -> str:
    match value:
        case Literally(text):
            written = text
        case None:
            written = "{}"
        case bool():
            written = str(value).lower()
        case datetime():
            written = value.isoformat()
        case str():
            written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            written = f"[{', '.join(map(_value, value))}]"
        case dict():
            pairs = (f"{json.dumps(key)} = {_value(item)}" for key, item in value.items())
            written = f"{{ {', '.join(pairs)} }}"
        case _:
            written = repr(value)
    return written


def _places(inside: Any, path: Path = ()) -> Iterator[Path]:
    """Where something stands in a document: the keys and indices that lead there."""
    steps = (
        inside
        if isinstance(inside, dict)
        else range(len(inside))
        if isinstance(inside, list)
        else ()
    )
    for step in steps:
        yield (*path, step)
        yield from _places(inside[step], (*path, step))
