"""Tests for plugin authors: the conformance kit, the simulator, and strategies for hypothesis.

Each name is imported when it is first used: neither torch nor pytest comes with the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grokbench.testing.conformance.checks import (
        Check,
        CheckOutcome,
        Fault,
        Inapplicable,
        Result,
    )
    from grokbench.testing.conformance.kit import checks_for, checks_of_plugin
    from grokbench.testing.parametrize import parametrize_with_checks

__all__ = [
    "Check",
    "CheckOutcome",
    "Fault",
    "Inapplicable",
    "Result",
    "checks_for",
    "checks_of_plugin",
    "parametrize_with_checks",
]

_HOMES = {
    "grokbench.testing.conformance.checks": [
        "Check",
        "Fault",
        "Inapplicable",
        "CheckOutcome",
        "Result",
    ],
    "grokbench.testing.conformance.kit": ["checks_for", "checks_of_plugin"],
    "grokbench.testing.parametrize": ["parametrize_with_checks"],
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
