"""The base of everything that a plugin registers: a name, a version, and options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, get_args

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
            known = {
                location[:-1]: keys_at(cls.Options, location[:-1])
                for location in (item["loc"] for item in error.errors(include_url=False))
            }
            raise OptionsError(cls.name, mistakes_in(error, known)) from None

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]


Location = tuple[str | int, ...]
"""A place in a suite: the keys and indices that lead to a value."""


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys of the table at a place in a model's value; empty where they are not known."""
    inside: Any = model
    for step in location:
        fields = getattr(inside, "model_fields", {})
        if step not in fields:
            return []
        annotation = fields[step].annotation
        # A table that may be left out has the type `Table | None`.
        inside = next(
            (kind for kind in (annotation, *get_args(annotation)) if hasattr(kind, "model_fields")),
            None,
        )
    return list(getattr(inside, "model_fields", {}))


LONGEST = 60
"""The number of characters of a value that are shown in a message."""


def written(value: Any) -> str:
    """A value in a message, as TOML writes it; long values are shortened."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {written(item)}" for key, item in list(value.items())[:5])
        text = f"{{ {pairs} }}" if value else "{}"
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(written, value[:5]))}{', …' if len(value) > 5 else ''}]"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int) and abs(value) >= 10**LONGEST:
        return f"a number of more than {LONGEST} digits"
    elif value is None or isinstance(value, int | float):
        text = str(value)
    else:
        text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


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
            message = f"should be a table, not {written(item['input'])}"
        elif item["type"] in {"list_type", "tuple_type"}:
            given = written(item["input"])
            message = f"should be a list, not {given}"
            if type(item["input"]) in {int, str} and "…" not in given:
                message += f"; write [{given}]"
        elif item["type"] == "too_short":
            message = "is too short; list one value or more"
        else:
            message = message.removeprefix("Input ")
            given = f", not {written(item['input'])}" if location else ""
            message = f"{message[0].lower()}{message[1:]}{given}"
        findings.append((location, message))
    return findings


def place(location: Location) -> str:
    """`('seeds', 2)` as `seeds[2]`, `('recipes', 'nanda')` as `recipes.nanda`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
