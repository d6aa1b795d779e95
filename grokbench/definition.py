"""The base of everything that a plugin registers: a name, a version, and options."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from grokbench.errors import Mistake, OptionsError, nearest


class Options(BaseModel):
    """The base of a definition's options. Unknown keys are mistakes, and options are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition:
    """A task, architecture, optimizer, measure or detector, made from checked options.

    Attributes:
        name: the name by which a suite chooses the definition.
        version: part of the id of every run that uses the definition. Raise the version by one when
            a change alters results.
        Options: a pydantic model that checks the options.
        options: the checked options.

    The first line of the class's docstring is the summary in listings.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Options: ClassVar[type[BaseModel]] = Options

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Self:
        """Make the definition from options as a suite gives them.

        Raises:
            OptionsError: the options have mistakes. The error lists them all, each with its place
                and, for an unknown key, the nearest valid key.
        """
        try:
            return cls(cls.Options.model_validate(dict(given)))
        except ValidationError as error:
            known = list(cls.Options.model_fields)
            raise OptionsError(cls.name, mistakes_in(error, {(): known})) from None

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]


Location = tuple[str | int, ...]
"""A place in a suite: the keys and indices that lead to a value."""


def mistakes_in(error: ValidationError, known: Mapping[Location, list[str]]) -> list[Mistake]:
    """Pydantic's errors as mistakes. `known` lists the valid keys of each table."""
    return [Mistake(place(location), text) for location, text in findings_in(error, known)]


def findings_in(
    error: ValidationError, known: Mapping[Location, list[str]]
) -> list[tuple[Location, str]]:
    """The location of each of pydantic's errors, with a message in grokbench's words."""
    findings = []
    for item in error.errors(include_url=False):
        location, message = item["loc"], item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            keys = known.get(location[:-1])
            message = f"unknown key; {nearest(str(location[-1]), keys)}" if keys else "unknown key"
        elif item["type"] == "missing":
            message = "is missing"
        elif item["type"] in {"dict_type", "model_type"}:
            message = f"should be a table, not {reprlib.repr(item['input'])}"
        elif item["type"] in {"list_type", "tuple_type"}:
            given = reprlib.repr(item["input"])
            message = f"should be a list, not {given}"
            if type(item["input"]) in {int, str} and "..." not in given:
                message += f"; write [{given}]"
        elif item["type"] == "too_short":
            message = "is too short; list one value or more"
        else:
            message = message.removeprefix("Input ")
            given = f", not {reprlib.repr(item['input'])}" if location else ""
            message = f"{message[0].lower()}{message[1:]}{given}"
        findings.append((location, message))
    return findings


def place(location: Location) -> str:
    """`('seeds', 2)` as `seeds[2]`, `('recipes', 'nanda')` as `recipes.nanda`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
