"""What the kit says of a definition."""

from __future__ import annotations

from functools import cache
from typing import Any

from grokbench.testing import CheckOutcome, Result, checks_for


def faults(definition: Any, **given: Any) -> dict[str, str]:
    """Name of each check that fails → what it says."""
    return messages(definition, CheckOutcome.FAILED, given)


def notes(definition: Any, **given: Any) -> dict[str, str]:
    """Name of each check that passes → what it has to tell."""
    return messages(definition, CheckOutcome.OK, given)


def messages(definition: Any, outcome: CheckOutcome, given: dict[str, Any]) -> dict[str, str]:
    alone = isinstance(definition, type) and not given
    results = results_of(definition) if alone else examined(definition, **given)
    return {one.check: one.message for one in results if one.outcome is outcome}


def examined(definition: Any, **given: Any) -> list[Result]:
    return [check.result() for check in checks_for(definition, **given)]


results_of = cache(examined)
"""The same, once for each class: many tests look at the same results."""
