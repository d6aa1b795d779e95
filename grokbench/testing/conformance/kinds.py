"""The kinds of definition that the kit examines."""

from __future__ import annotations

from importlib import import_module

from grokbench.definition import Definition

KINDS = {
    "task": ("grokbench.tasks.base", "Task"),
    "architecture": ("grokbench.architectures.base", "Architecture"),
    "optimizer": ("grokbench.optimizers.base", "Optimizer"),
    "measure": ("grokbench.measures.base", "Measure"),
    "detector": ("grokbench.phenomena.base", "Detector"),
}
"""Kind → the module and the name of its base class."""


def base_of(kind: str) -> type[Definition]:
    """The class that every definition of a kind extends."""
    module, name = KINDS[kind]
    base: type[Definition] = getattr(import_module(module), name)
    return base


def kind_of(definition: type[Definition]) -> str:
    """`task`, `architecture`, …

    Raises:
        TypeError: the class is none of them.
    """
    for kind in KINDS:
        if issubclass(definition, base_of(kind)):
            return kind
    known = ", ".join(name for _, name in KINDS.values())
    raise TypeError(f"{definition.__name__} is not a subclass of one of {known}")
