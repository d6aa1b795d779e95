"""Collects the mistakes in a suite, and sorts them in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from grokbench.definition import Location, place
from grokbench.errors import Mistake, PluginFailure
from grokbench.labels import text_of
from grokbench.plugins import guard
from grokbench.plugins.stand_ins import NotLoadedError
from grokbench.schema import LONGEST_NAME


class Report:
    """The mistakes in one document. A message is kept once for each place."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._found: dict[tuple[Location, str], None] = {}
        self._suspected: dict[tuple[Location, str], None] = {}
        self._positions: dict[int, dict[Any, int]] = {}  # by the identity of a table

    def add(self, location: Location, message: str) -> None:
        self._found[location, message] = None

    def suspect(self, location: Location, message: str) -> None:
        """Add what is a mistake unless a plugin that is not loaded says otherwise.

        It is told with other mistakes, because of which the plugin will not be loaded.
        """
        self._suspected[location, message] = None

    def forget_suspicions(self) -> None:
        """The plugins are loaded now, and what is wrong is known."""
        self._suspected.clear()

    def add_repeats(self, location: Location, values: Sequence[Hashable]) -> None:
        """Add a mistake for each value that the list repeats. None stands for a wrong value.

        Two numbers that have one label on an axis are the same cell of a grid.
        """
        first: dict[Hashable, int] = {}
        of_label: dict[str, int] = {}
        for index, value in enumerate(values):
            if value is None:
                continue
            if value in first:
                self.add((*location, index), f"is the same as {place((*location, first[value]))}")
                continue
            first[value] = index
            if isinstance(value, int | float):
                same = of_label.setdefault(text_of(value), index)
                if same < index:
                    self.add(
                        (*location, index),
                        f"differs from {place((*location, same))} only beyond the 12th digit, so that "
                        f"both would have the same label in the results",
                    )

    def add_bad_name(self, location: Location, name: str) -> None:
        """Add a mistake if a folder, or a group in a dataset, cannot have this name."""
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name, re.ASCII):
            self.add(location, f"{name!r} cannot be a name; use only letters, digits, '_' and '-'")
        if len(name) > LONGEST_NAME:
            self.add(
                location,
                f"{shortened(name)} has {len(name)} characters; a name has at most {LONGEST_NAME}",
            )

    def found(self) -> list[tuple[Location, str]]:
        """The location and the message of each mistake, in the order in which they were added."""
        return list(self._found)

    def mistakes(self) -> list[Mistake]:
        """The mistakes in the order of the file. A missing key comes last in its table."""
        together = {**self._found, **self._suspected} if self._found else {}
        found = sorted(together, key=lambda item: self._order(item[0]))
        return [Mistake(place(location), message) for location, message in found]

    def _order(self, location: Location) -> list[int]:
        order: list[int] = []
        inside: Any = self.document
        for part in location:
            # The place in a plugin's options is one text: `betas[1]`.
            step = re.split(r"[.\[]", part)[0] if isinstance(part, str) else part
            at = self._position(inside, step)
            order.append(len(inside) if at is None else at)
            if at is None or not isinstance(inside[step], dict | list):
                break
            inside = inside[step]
        return order

    def _position(self, inside: Any, step: str | int) -> int | None:
        """Where a key or an index stands in a table or a list; None if it is not there."""
        if isinstance(inside, list):
            return step if isinstance(step, int) and step < len(inside) else None
        positions = self._positions.get(id(inside))
        if positions is None:
            positions = self._positions[id(inside)] = {key: at for at, key in enumerate(inside)}
        return positions.get(step)


def shortened(name: str) -> str:
    """A long name, as a message shows it."""
    return repr(f"{name[:20]}…{name[-8:]}")


def ask(owner: str, question: Callable[[], str | None]) -> str | None:
    """The answer of a plugin. An error that the plugin raises counts as a refusal.

    Args:
        owner: the name of the definition that is asked.
        question: calls the definition.
    """
    try:
        with guard(owner, NotLoadedError):
            answer: object = question()
    except NotLoadedError:
        return None  # nobody can answer for a plugin that is not loaded
    except PluginFailure as failure:
        return f"{owner} raised an error when asked: {failure.told}"
    if answer is None or type(answer) is str:
        return answer
    return f"{owner} answered with {type(answer).__name__} when asked; return None or a str"
