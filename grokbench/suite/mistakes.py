"""Collects the mistakes in a suite, and sorts them in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from grokbench.definition import Location, place
from grokbench.errors import Mistake
from grokbench.plugins import describe
from grokbench.plugins.stand_ins import NotLoadedError


class Report:
    """The mistakes in one document. A message is kept once for each place."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._found: dict[tuple[Location, str], None] = {}

    def add(self, location: Location, message: str) -> None:
        self._found[location, message] = None

    def add_repeats(self, location: Location, values: Sequence[Hashable]) -> None:
        """Add a mistake for each value that the list repeats. None stands for a wrong value."""
        for index, value in enumerate(values):
            first = values.index(value)
            if value is not None and first < index:
                self.add((*location, index), f"is the same as {place((*location, first))}")

    def add_bad_name(self, location: Location, name: str) -> None:
        """Add a mistake if a folder, or a group in a dataset, cannot have this name."""
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name, re.ASCII):
            self.add(location, f"{name!r} cannot be a name; use only letters, digits, '_' and '-'")

    def found(self) -> list[tuple[Location, str]]:
        """The location and the message of each mistake, in the order in which they were added."""
        return list(self._found)

    def mistakes(self) -> list[Mistake]:
        """The mistakes in the order of the file. A missing key comes last in its table."""
        found = sorted(self._found, key=lambda item: self._order(item[0]))
        return [Mistake(place(location), message) for location, message in found]

    def _order(self, location: Location) -> list[int]:
        order: list[int] = []
        inside: Any = self.document
        for part in location:
            steps = list(range(len(inside)) if isinstance(inside, list) else inside)
            # The place in a plugin's options is one text: `betas[1]`.
            step = re.split(r"[.\[]", part)[0] if isinstance(part, str) else part
            if step not in steps:
                return [*order, len(steps)]
            order.append(steps.index(step))
            inside = inside[step]
            if not isinstance(inside, dict | list):
                break
        return order


def ask(owner: str, question: Callable[[], str | None]) -> str | None:
    """The answer of a plugin. An error that the plugin raises counts as a refusal."""
    try:
        return question()
    except NotLoadedError:
        return None  # nobody can answer for a plugin that is not loaded
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return f"{owner} raised an error when asked: {describe(error)}"
