"""Exercises: what a definition does in every run, and what must come out the same every time."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grokbench.definition import Definition
from grokbench.switches import SWITCHES, Switch, comparable, read
from grokbench.testing.conformance.checks import Specimen, kind_of

TORCH = ("torch's random state",)
"""The generator that the trainer seeds before it builds or calls a module."""

SEEDING: Mapping[str, Callable[[int], object]] = {
    "torch's random state": torch.manual_seed,
    "numpy's random state": np.random.seed,
    "Python's random state": random.seed,
}

Digests = dict[str, str]
"""Name of a result → its digest. The order of the names counts."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """Something that a definition does, with results that must be the same every time.

    Attributes:
        owner: the instance that does it.
        doing: in words: "making examples".
        act: does it; returns results by name.
        instead: how to write it so that its results are the same.
        given: what it is given, by name, which it must not change.
        lent: the global random generators that it may change.
        drawn_from: the global random generators that its results may depend on.
    """

    owner: Definition
    doing: str
    act: Callable[[], Mapping[str, Any]]
    instead: str
    given: Callable[[], Mapping[str, Any]] = dict
    lent: tuple[str, ...] = ()
    drawn_from: tuple[str, ...] = ()

    def digests(self, *disturbed: str) -> Digests:
        """What comes out, with the global random generators in one state but for the disturbed."""
        disturb(0)
        disturb(1, disturbed)
        return digests_of(self.act())

    def foreign(self) -> list[str]:
        """The global random generators that its results must not depend on."""
        return [name for name in SEEDING if name not in self.drawn_from]


def exercises_of(specimen: Specimen) -> Iterator[Exercise]:
    """What a new instance does. The first exercise is also repeated in another process.

    Each file of a kind has a function `exercises`.

    Raises:
        Inapplicable: the definition raises an error, which another check reports.
    """
    kind = import_module(f"grokbench.testing.conformance.{kind_of(specimen.definition)}s")
    found: Iterator[Exercise] = kind.exercises(specimen)
    return found


def disturb(seed: int, generators: Sequence[str] = tuple(SEEDING)) -> None:
    """Put global random generators into another state."""
    for name in generators:
        SEEDING[name](seed)


def changed(act: Callable[[], object], switches: Mapping[str, Switch] = SWITCHES) -> list[str]:
    """The names of the global state that `act` changes."""
    before = {name: comparable(value) for name, value in read(switches).items()}
    act()
    after = {name: comparable(value) for name, value in read(switches).items()}
    return [name for name in before if name in after and after[name] != before[name]]


def digests_of(values: Mapping[str, Any]) -> Digests:
    """A digest of each value; equal bits have equal digests."""
    return {name: digest(value) for name, value in values.items()}


def digest(value: object) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    content = value.detach().contiguous().numpy()
    told = f"{content.dtype} {content.shape}".encode()
    return hashlib.sha256(told + content.tobytes()).hexdigest()


def differing(first: Digests, second: Digests) -> list[str]:
    """The names of the results that differ, by value or by place."""
    places = zip(first.items(), second.items(), strict=False)
    names = [own[0] for own, other in places if own != other]
    return names or [name for name in {**first, **second} if first.get(name) != second.get(name)]
