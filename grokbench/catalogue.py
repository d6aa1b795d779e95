"""Catalogues: the definitions of one kind by name, each with the plugin that registered it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from grokbench.errors import PluginError, UnknownNameError, nearest

if TYPE_CHECKING:
    from grokbench.definition import Definition

T = TypeVar("T", bound="Definition")


@dataclass(eq=False)
class Sender:
    """The plugin that registers something: its name, what it registered, and its errors.

    `package` is the name of a distribution, or the path of a single file. `location` is the module.
    `digest` is the SHA-256 of the plugin's code in hexadecimal digits; None where the code is unknown.
    """

    package: str
    version: str
    location: str
    registers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    digest: str | None = None

    @property
    def origin(self) -> str:
        """The package and its version (`grokbench 0.1.0`), or the path of a single file."""
        return f"{self.package} {self.version}".strip()

    def complain(self, error: str) -> None:
        """Remember an error. The same error is kept once."""
        if error not in self.errors:
            self.errors.append(error)


class Catalogue(Mapping[str, type[T]], Generic[T]):
    """Definitions of one kind (`task`, `detector`, …) by name, in alphabetical order.

    A name that two plugins registered cannot be used: it is not listed, and looking it up raises an
    error that names both plugins. All else that they registered can be used.

    Args:
        kind: what the definitions are, for messages.
        base: the class that each must extend.
        senders: all plugins. The error for an unknown name mentions the plugins with errors.
    """

    def __init__(self, kind: str, base: type[T], senders: Sequence[Sender]) -> None:
        self.kind, self.base, self.senders = kind, base, senders
        self._found: dict[str, list[tuple[type[T], Sender]]] = {}

    def add(self, definition: Any, sender: Sender) -> None:
        """Add what `sender` registers, or remember in `sender.errors` what is wrong with it."""
        problems = problems_with(definition, self.base, self.kind)
        for problem in problems:
            sender.complain(problem)
        if problems:
            return
        found = self._found.setdefault(definition.name, [])
        if any(definition is other for other, _ in found):
            return
        found.append((definition, sender))
        sender.registers.append(f"{self.kind} {definition.name}")
        if len(found) > 1:
            for _, rival in found:
                rival.complain(self.conflicts[definition.name])

    def add_stand_in(self, definition: type[T], sender: Sender) -> None:
        """Add a definition unchecked, unless a plugin has registered one of this name."""
        self._found.setdefault(definition.name, [(definition, sender)])

    @property
    def conflicts(self) -> Mapping[str, str]:
        """The names that more than one plugin registered, each with a message."""
        return {
            name: f"the {self.kind} {name!r} is registered by "
            f"{' and by '.join(sender.origin for _, sender in found)}; "
            "rename one, or load one of them alone"
            for name, found in sorted(self._found.items())
            if len(found) > 1
        }

    def origin(self, name: str) -> str:
        """The package and version that `name` comes from, or the path of a single file.

        Raises:
            UnknownNameError, PluginError: as `catalogue[name]`.
        """
        return self.sender(name).origin

    def sender(self, name: str) -> Sender:
        """The plugin that registered `name`.

        Raises:
            UnknownNameError, PluginError: as `catalogue[name]`.
        """
        return self._only(name)[1]

    def __getitem__(self, name: str) -> type[T]:
        """The definition of that name.

        Raises:
            UnknownNameError: no plugin registered the name. The message has the nearest name, and
                the plugins with errors, because one of them may have the definition.
            PluginError: more than one plugin registered the name.
        """
        return self._only(name)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(name for name, found in self._found.items() if len(found) == 1))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def _only(self, name: str) -> tuple[type[T], Sender]:
        found = self._found.get(name, [])
        if len(found) > 1:
            raise PluginError(self.conflicts[name])
        if not found:
            raise UnknownNameError(self._unknown(name))
        return found[0]

    def _unknown(self, name: str) -> str:
        message = f"there is no {self.kind} {name!r}; {nearest(name, self)}"
        for sender in self.senders:
            if sender.errors:
                message += (
                    f" (the plugin {sender.origin} may have it, but has an error: "
                    f"{sender.errors[0]})"
                )
        return message


def problems_with(definition: Any, base: type[Definition], kind: str) -> list[str]:
    """Why `definition` cannot be registered as a `kind`, and what to write instead."""
    if not isinstance(definition, type):
        return [f"{definition!r} is not a class; register the {kind}'s class itself"]
    owner = definition.__name__
    if not issubclass(definition, base):
        return [f"{owner} is no {kind}; make it a subclass of grokbench.{base.__name__}"]
    problems = []
    name, version = getattr(definition, "name", None), definition.version
    if inspect.isabstract(definition):
        methods = ", ".join(sorted(getattr(definition, "__abstractmethods__", ())))
        problems.append(f"{owner} is not complete; write {methods}")
    if not isinstance(name, str) or not name.isidentifier():
        problems.append(f"{owner}.name is {name!r}; write a word such as 'modular_addition'")
    if type(version) is not int or version < 1:
        problems.append(f"{owner}.version is {version!r}; write a whole number from 1 up")
    for attribute in ("roles", "figure_spans", "figure_ignores"):
        names = getattr(definition, attribute, ())
        if isinstance(names, str):
            problems.append(f"{owner}.{attribute} is a string; write a tuple of strings")
        elif not (isinstance(names, tuple) and all(isinstance(name, str) for name in names)):
            problems.append(f"{owner}.{attribute} is {names!r}; write a tuple of strings")
    if kind == "measure":
        problems += _problems_with_quantities(owner, getattr(definition, "quantities", None))
    return problems + _problems_with_options(owner, definition.Options)


def _problems_with_quantities(owner: str, quantities: Any) -> list[str]:
    if isinstance(quantities, Mapping) and quantities:
        wrong = [name for name in quantities if not (isinstance(name, str) and name.isidentifier())]
        words = [name for name, text in quantities.items() if not isinstance(text, str)]
        if not (wrong or words):
            return []
    return [
        f"{owner}.quantities is {quantities!r}; write the name of each, and what it is: "
        "{'sparsity': 'Gini coefficient of the spectrum'}"
    ]


def _problems_with_options(owner: str, options: Any) -> list[str]:
    from pydantic import BaseModel

    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return [f"{owner}.Options is {options!r}; write a subclass of grokbench.Options"]
    problems = []
    if options.model_config.get("extra") != "forbid":
        problems.append(
            f"{owner}.Options would ignore misspelt keys; make it a subclass of grokbench.Options"
        )
    if "name" in options.model_fields:
        problems.append(f"{owner}.Options has a field 'name', by which a suite chooses {owner}")
    return problems
