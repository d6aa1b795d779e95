"""What the kit says of a definition."""

from __future__ import annotations

from typing import Any

from grokbench.testing import CheckOutcome, checks_for


def faults(definition: Any, **given: Any) -> dict[str, str]:
    """Name of each check that fails → what it says."""
    results = [check.result() for check in checks_for(definition, **given)]
    return {one.check: one.message for one in results if one.outcome is CheckOutcome.FAILED}


def notes(definition: Any, **given: Any) -> dict[str, str]:
    """Name of each check that passes → what it has to tell."""
    results = [check.result() for check in checks_for(definition, **given)]
    return {one.check: one.message for one in results if one.outcome is CheckOutcome.OK}
