"""A suite: experiments and claims, read from a TOML file.

`load` is imported only when it is used: checking a suite needs torch, reading a `Suite` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grokbench.suite.model import Claim, Experiment, Rule, Suite

if TYPE_CHECKING:
    from grokbench.suite.load import load_suite, parse_suite

__all__ = ["Claim", "Experiment", "Rule", "Suite", "load_suite", "parse_suite"]


def __getattr__(name: str) -> Any:
    if name in ("load_suite", "parse_suite"):
        from grokbench.suite import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
