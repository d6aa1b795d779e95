"""Mistakes gathered while a suite is read, and put in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from grokbench.definition import Location, place
from grokbench.errors import Mistake
from grokbench.plugins import describe


class Report:
    """All that is wrong in one document; what is said twice of one place is kept once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._found: dict[tuple[Location, str], None] = {}

    def add(self, location: Location, message: str) -> None:
        self._found[location, message] = None

    def add_repeats(self, location: Location, values: Sequence[Hashable]) -> None:
        """A mistake for each value that stands in the list already; None is no value."""
        for index, value in enumerate(values):
            first = values.index(value)
            if value is not None and first < index:
                self.add((*location, index), f"is the same as {place((*location, first))}")

    def add_bad_name(self, location: Location, name: str) -> None:
        """A mistake if `name` could not be a folder's, or a group's in a dataset."""
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name, re.ASCII):
            self.add(location, f"{name!r} is no name; use letters, digits, '_' and '-' alone")

    def mistakes(self) -> list[Mistake]:
        """In the order of the file; what is missing comes last in its table."""
        found = sorted(self._found, key=lambda item: self._order(item[0]))
        return [Mistake(place(location), message) for location, message in found]

    def _order(self, location: Location) -> list[int]:
        order: list[int] = []
        inside: Any = self.document
        for part in location:
            steps = list(range(len(inside)) if isinstance(inside, list) else inside)
            # A plugin's options come with their whole way in one piece: betas[1].
            step = re.split(r"[.\[]", part)[0] if isinstance(part, str) else part
            if step not in steps:
                return [*order, len(steps)]
            order.append(steps.index(step))
            inside = inside[step]
            if not isinstance(inside, dict | list):
                break
        return order


def ask(owner: str, question: Callable[[], str | None]) -> str | None:
    """What a plugin answers; an error it raises is an answer too."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return f"{owner} cannot tell, it raised {describe(error)}"
