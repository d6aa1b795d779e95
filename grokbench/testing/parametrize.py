"""A decorator that makes every check a pytest item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from grokbench.testing.conformance.checks import Fault
from grokbench.testing.conformance.kit import checks_for, expecting

if TYPE_CHECKING:
    import pytest

    from grokbench.architectures.base import Architecture
    from grokbench.definition import Definition
    from grokbench.tasks.base import Task
    from grokbench.testing.simulator import World


def parametrize_with_checks(
    definitions: Sequence[type[Definition] | Definition],
    *,
    tasks: Sequence[Task] = (),
    worlds: Sequence[World] = (),
    architectures: Sequence[Architecture] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Run a test once for each check of some definitions; the test calls its argument `check`.

        @parametrize_with_checks([Majority, Perceptron])
        def test_the_contract_is_kept(check):
            check()

    Args: as for `checks_for`. A check that is expected to fail is a strict xfail.
    """
    import pytest

    checks = [
        check
        for definition in definitions
        for check in checks_for(definition, tasks=tasks, worlds=worlds, architectures=architectures)
    ]
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                check,
                id=check.id.replace(": ", "-").replace(" ", "-"),
                marks=[pytest.mark.xfail(raises=Fault, reason=check.expected, strict=True)]
                if check.expected
                else [],
            )
            for check in expecting(checks, expected_failures or {})
        ],
    )
