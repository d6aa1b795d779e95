"""What a module's code can change outside the module: classes, globals, closures, objects.

Such state belongs to no run. All runs of a process share it, no checkpoint keeps it, and an
evaluation does not give it back. Its effect may come so late that no trial sees it. So the state
itself is compared between two calls of a module.

The search begins at the module's classes, attributes and hooks, and follows the names that their
functions use. It does not enter torch, Python's library, or installed packages other than those
that have the module's classes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import (
    CellType,
    CodeType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grokbench.training.attributes import PLAIN, others

FOREIGN = {*sys.stdlib_module_names, "torch", "numpy", "grokbench"}
"""The packages whose functions and classes hold no state of a plugin's module."""

SHOWN = (*PLAIN, bytearray, itertools.count, np.generic, Decimal, Fraction)
"""The types of values whose text has all of their state."""

State = dict[str, list[str]]
"""What a module's code reaches: the name of a place → the texts of the values in this place."""

CONTAINERS = (dict, list, tuple, set, frozenset, deque)

PARTS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (FunctionType, lambda function: vars(function).get("__wrapped__")),
    (MethodType, lambda method: (method.__func__, method.__self__)),
    ((staticmethod, classmethod), lambda method: method.__func__),
    (property, lambda made: made.fget),
    (partial, lambda call: (call.func, call.args, call.keywords)),
    (type(functools.cache(lambda: None)), lambda cached: cached.__wrapped__),
    (GeneratorType, lambda one: one.gi_frame and (one.gi_frame.f_lasti, one.gi_frame.f_locals)),
    ((nn.Module, SimpleNamespace), lambda one: (type(one), vars(one))),
)
"""What objects of Python and torch hold. What a cache holds is left out: only calls fill it."""

GENERATORS: tuple[tuple[type, Callable[[Any], bytes]], ...] = (
    (torch.Generator, lambda one: bytes_of(one.get_state())),
    (random.Random, lambda one: repr(one.getstate()).encode()),
    (np.random.Generator, lambda one: repr(one.bit_generator.state).encode()),
)
"""How the state of a generator of random numbers is read."""

HOOKS = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
)


def changed(before: State, after: State) -> str:
    """The first place whose values differ; empty if there is none."""
    every = [*before, *(place for place in after if place not in before)]
    return next((place for place in every if before.get(place) != after.get(place)), "")


def outside(model: nn.Module) -> State:
    """The state that the code of a module reaches outside its parameters and buffers."""
    search = Search(model)
    for path, module in model.named_modules():
        search.add("", type(module))
        for name, value in others(module).items():
            search.add("the attribute " + f"{path}.{name}".removeprefix("."), value)
        for hooks in HOOKS:
            search.add(f"a hook of {path or 'the module'}", vars(module)[hooks])
    return search.found()


class Search:
    """Follows values to what they hold. Each object is looked at once."""

    def __init__(self, model: nn.Module) -> None:
        # By identity. The objects are kept, because another object may get the identity of a dead one.
        self.seen: dict[int, Any] = {id(module): module for module in model.modules()}
        self.pending: list[tuple[str, Any]] = []
        self.state: State = {}
        classes = {one for module in model.modules() for one in type(module).__mro__}
        self.packages = {root_of(one.__module__) for one in classes} - FOREIGN

    def add(self, place: str, value: Any) -> None:
        self.pending.append((place, value))

    def found(self) -> State:
        while self.pending:
            place, value = self.pending.pop()
            text = text_of(value)
            if text:
                self.state.setdefault(place, []).append(text)
            elif id(value) not in self.seen:
                self.seen[id(value)] = value
                self.pending += self._held(place, value)
        return self.state

    def _held(self, place: str, value: Any) -> Iterator[tuple[str, Any]]:
        """What a value holds, and in which place."""
        if isinstance(value, FunctionType) and self._is_own(value.__globals__.get("__name__")):
            yield from self._held_by_function(value)
        elif isinstance(value, type):
            for one in value.__mro__:
                if self._is_own(one.__module__):
                    for name, held in vars(one).items():
                        yield f"the attribute {name} of the class {one.__qualname__}", held
        elif isinstance(value, CONTAINERS):
            yield place, len(value)
            for held in value.items() if isinstance(value, dict) else value:
                yield place, held
        else:
            parts = next((parts for kind, parts in PARTS if isinstance(value, kind)), None)
            if parts is not None:
                yield place, parts(value)
            elif self._is_own(type(value).__module__):
                yield place, (type(value), object.__getstate__(value))

    def _held_by_function(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        whose = function.__qualname__
        held = (function.__defaults__, function.__kwdefaults__, vars(function))
        yield f"a default or an attribute of the function {whose}", held
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if cell != CellType():  # It has a value.
                yield f"the variable {name} in the closure of {whose}", cell.cell_contents
        yield from self._named(function.__globals__, names_of(function.__code__), set())

    def _named(
        self, namespace: Mapping[str, Any], names: frozenset[str], passed: set[str]
    ) -> Iterator[tuple[str, Any]]:
        """The globals that these names mean: `n`, and `n` of another module in `other.n`."""
        here = namespace.get("__name__", "")
        passed.add(here)
        for name in sorted(names & namespace.keys()):
            value = namespace[name]
            if not isinstance(value, ModuleType):
                yield f"the global {name}", value
            elif self._is_own(value.__name__) and value.__name__ not in passed:
                yield from self._named(vars(value), names, passed)

    def _is_own(self, module: str | None) -> bool:
        """Whether a Python module may keep state for the torch modules that are searched."""
        root = root_of(module or "builtins")
        file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
        return root not in FOREIGN and (root in self.packages or "-packages" not in file)


def root_of(module: str) -> str:
    return module.partition(".")[0]


def names_of(code: CodeType) -> frozenset[str]:
    """The names of globals and attributes that a function uses, and those within it."""
    within = (names_of(one) for one in code.co_consts if isinstance(one, CodeType))
    return frozenset(code.co_names).union(*within)


def text_of(value: Any) -> str:
    """A text that differs where a value's own state differs; empty for a value that holds others."""
    if isinstance(value, SHOWN):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, Tensor):
        return digest(value.shape, value.dtype, partial(bytes_of, value))
    if isinstance(value, np.ndarray):
        return digest(value.shape, value.dtype, value.tobytes)
    for kind, state in GENERATORS:
        if isinstance(value, kind):
            return digest((), kind, partial(state, value))
    return ""


def digest(shape: Any, kind: Any, content: Callable[[], bytes]) -> str:
    """Of the content, because a copy may be large. Without content for tensors that show none."""
    try:
        return f"{shape} {kind} {hashlib.blake2b(content()).hexdigest()}"
    except (RuntimeError, TypeError, NotImplementedError):
        return f"{shape} {kind}"


def bytes_of(values: Tensor) -> bytes:
    flat = values.detach().cpu().resolve_conj().resolve_neg().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()
