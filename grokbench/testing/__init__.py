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
    from grokbench.testing.conformance.kit import (
        checks_for,
        checks_of_plugin,
        parametrize_with_checks,
    )

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "checks" if name[0].isupper() else "kit"
    return getattr(import_module(f"grokbench.testing.conformance.{home}"), name)
