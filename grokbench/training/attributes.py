"""The plain attributes of a module that its forward pass changes: counters, caches, averages.

Torch keeps parameters and buffers, and nothing else. Ordinary modules also count steps in a number
or store an average in a tensor. Such an attribute is kept in checkpoints, and an evaluation leaves
the attribute as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Values = dict[str, dict[str, Any]]
"""Submodule → attribute → a value that shares no memory with the module's."""

PLAIN = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, tuple, set)
UNKEPT = ("numpy", "collections", "random")
"""The packages whose values no checkpoint keeps, because loading them could run code."""

OWN = frozenset(vars(nn.Module()))
"""What every module has: hooks, parameters, buffers, submodules and the mode."""


class _NotPlainError(Exception):
    """A value is no number, text, tensor, or container of these."""


@dataclass(frozen=True, eq=False)
class Attributes:
    """All attributes of a module at one moment, except what torch itself manages.

    Attributes:
        objects: the objects themselves: {submodule: {attribute: object}}.
        values: copies of those that are plain: numbers, text, tensors without a gradient, and
            containers of these.
    """

    objects: dict[str, dict[str, Any]]
    values: Values

    @classmethod
    def of(cls, model: nn.Module) -> Attributes:
        objects = {path: others(module) for path, module in model.named_modules()}
        return cls(objects, {path: plain(own) for path, own in objects.items()})

    def changed(self, model: nn.Module) -> Values:
        """The plain attributes that are not as they were."""
        found = {
            path: {
                name: value
                for name, value in plain(others(module)).items()
                if not (name in self.values[path] and same(value, self.values[path][name]))
                and (name in self.values[path] or name not in self.objects[path])
            }
            for path, module in model.named_modules()
            if path in self.objects
        }
        return {path: own for path, own in found.items() if own}

    def give_back(self, model: nn.Module) -> None:
        """Make all attributes as they were."""
        for path, module in model.named_modules():
            own = vars(module)
            before = self.objects.get(path, {})
            for name in set(others(module)) - set(before):
                del own[name]
            for name, value in before.items():
                if own.get(name) is not value:
                    own[name] = value
        assign(model, self.values)


def assign(model: nn.Module, values: Values) -> None:
    """Give a module copies of these values."""
    modules = dict(model.named_modules())
    for path, own in values.items():
        here: dict[str, Any] = vars(modules[path])  # type: ignore[assignment]
        for name, value in own.items():
            now = here.get(name)
            if same(now, value):
                continue
            # In place where possible: the attribute may share its memory with a buffer.
            if type(now) is Tensor and alike(now, value) and not now.requires_grad:
                now.copy_(value)
            else:
                here[name] = copy_of(value)


def others(module: nn.Module) -> dict[str, Any]:
    """The attributes that torch does not manage."""
    return {name: value for name, value in vars(module).items() if name not in OWN}


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of those that are plain."""
    found = {}
    for name, value in attributes.items():
        with suppress(_NotPlainError):
            found[name] = copy_of(value)
    return found


def unkept(model: nn.Module) -> dict[str, str]:
    """The attributes that no checkpoint can keep, as text: {path: text}."""
    return {
        f"{path}.{name}".removeprefix("."): f"{type(value).__name__} {value!r}"
        for path, module in model.named_modules()
        for name, value in others(module).items()
        if type(value).__module__.split(".")[0] in UNKEPT
    }


def copy_of(value: Any) -> Any:
    """A copy of a plain value.

    Raises:
        _NotPlainError: the value is not plain.
    """
    if type(value) in PLAIN:
        return value
    if type(value) is Tensor and not value.requires_grad:
        return value.detach().clone()
    if type(value) in CONTAINERS:
        return type(value)(copy_of(one) for one in value)
    if type(value) is dict:
        return {copy_of(key): copy_of(one) for key, one in value.items()}
    raise _NotPlainError


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return alike(one, other) and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    # NaN is unequal to itself, and both have the same text.
    return bool(one == other) or repr(one) == repr(other) == "nan"


def alike(one: Tensor, other: Any) -> bool:
    """Whether another value is a tensor of the same shape and type."""
    return isinstance(other, Tensor) and one.shape == other.shape and one.dtype == other.dtype
