"""The conformance kit: all checks of a definition, and of everything that a plugin registers."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from grokbench.definition import Definition
from grokbench.errors import PluginError, PluginFailure, nearest
from grokbench.plugins import guard
from grokbench.testing.conformance.checks import EVERY_KIND, PROMISES, Check, Specimen, kind_of

if TYPE_CHECKING:
    import click
    import pytest

    from grokbench.architectures.base import Architecture
    from grokbench.tasks.base import Task
    from grokbench.testing.simulator import World


def checks_for(
    definition: type[Definition] | Definition,
    *,
    tasks: Sequence[Task] = (),
    worlds: Sequence[World] = (),
    architectures: Sequence[Architecture] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> list[Check]:
    """Every check of a definition; calling one examines the definition, and may raise `Fault`.

    A class is examined with its default options, or with each table of options in its attribute
    `tested_with`, a list. An instance is examined with its own options.

    Args:
        definition: a task, architecture, optimizer, detector or measure.
        tasks: for an architecture or a measure, in addition to the kit's own small tasks.
        worlds: for a detector, in addition to the kit's own simulated experiments.
        architectures: for a measure, in addition to grokbench's dense transformer.
        expected_failures: a check's name, or its id `task majority: mirror_free_is_true` → why it
            may fail; in addition to the class's own attribute of this name. A check that is
            expected to fail and does not is a failure.

    Raises:
        TypeError: it is not a definition.
        ValueError: there is no check of the name of an expected failure.
        PluginError: the class's own `tested_with` or `expected_failures` has a mistake.
    """
    made = definition if isinstance(definition, type) else type(definition)
    kind = kind_of(made)
    import_module("grokbench.testing.conformance.every_kind")
    import_module(f"grokbench.testing.conformance.{kind}s")
    several = options_of(definition)
    checks = []
    for options in several:
        specimen = Specimen(made, options, tuple(tasks), tuple(worlds), tuple(architectures))
        subject = subject_of(kind, made, options if len(several) > 1 else {})
        checks += [Check(subject, one, specimen) for one in PROMISES[EVERY_KIND] + PROMISES[kind]]
    try:
        checks = expecting(checks, own_failures(made))
    except ValueError as error:
        raise PluginError(f"{made.__name__}.expected_failures: {error}") from None
    return expecting(checks, expected_failures or {})


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
    cases = [
        pytest.param(check, id=check.id.replace(": ", "-").replace(" ", "-"), marks=check.marks())
        for check in expecting(checks, expected_failures or {})
    ]
    return pytest.mark.parametrize("check", cases)


def checks_of_plugin(
    name: str, *, cli: click.Group | None = None, expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Every check of a plugin as a whole, and of everything that it registers.

    Args:
        name: of a distribution or an entry point; the path of a single file; `grokbench` for the
            built-in definitions; or the name of one definition, which is then examined alone.
        cli: the command line whose commands' names are taken.
        expected_failures: as for `checks_for`.

    Raises:
        PluginError: there is nothing of that name, or a class's own `tested_with` or
            `expected_failures` has a mistake.
        ValueError: there is no check of the name of an expected failure.
    """
    from grokbench.testing.conformance import plugins

    modules = plugins.modules_named(name, cli)
    checks = [check for module in modules for check in module.checks()]
    definitions = plugins.definitions_of(modules) if modules else plugins.definitions_named(name)
    tasks, architectures = usable(definitions)
    for definition in definitions:
        checks += checks_for(definition, tasks=tasks, architectures=architectures)
    return expecting(checks, expected_failures or {})


def usable(definitions: Sequence[type[Definition]]) -> tuple[list[Task], list[Architecture]]:
    """The tasks that make examples, and the architectures that can be made, to try others on."""
    from grokbench.architectures.base import Architecture
    from grokbench.randomness import Streams
    from grokbench.tasks.base import Task
    from grokbench.testing.conformance.tasks import data_sizes

    tasks: list[Task] = []
    architectures: list[Architecture] = []
    for definition in definitions:
        with suppress(PluginFailure), guard("it"):  # the definition's own checks report the error
            made: Any = definition.from_options(options_of(definition)[0])
            if isinstance(made, Task):
                made.examples(data_sizes(made)[0], Streams(0))
                tasks.append(made)
            elif isinstance(made, Architecture):
                architectures.append(made)
    return tasks, architectures


def own_failures(definition: type[Definition]) -> Mapping[str, str]:
    """The failures that a class itself expects: check → reason.

    Raises:
        PluginError: its attribute is not such a table.
    """
    found: Any = getattr(definition, "expected_failures", {})
    pairs = found.items() if isinstance(found, Mapping) else [(None, None)]
    if all(isinstance(one, str) and one.strip() for pair in pairs for one in pair):
        return dict(found)
    raise PluginError(
        f"{definition.__name__}.expected_failures is {reprlib.repr(found)}; write a table of "
        'checks and reasons: {"mirror_free_is_true": "order is part of the question"}'
    )


def expecting(checks: Sequence[Check], failures: Mapping[str, str]) -> list[Check]:
    """The checks; those named in `failures`, by name or by id, may fail for the reason given.

    Raises:
        ValueError: there is no such check; with the nearest name.
    """
    known = {name for check in checks for name in (check.name, check.id)}
    for name in failures:
        if name not in known:
            raise ValueError(f"there is no check {name!r} to fail; {nearest(name, known)}")
    reasons = [failures.get(one.id) or failures.get(one.name) for one in checks]
    return [
        replace(check, expected=reason) if reason else check
        for check, reason in zip(checks, reasons, strict=True)
    ]


def options_of(definition: type[Definition] | Definition) -> Sequence[Mapping[str, Any]]:
    """The options that a definition is examined with.

    Raises:
        PluginError: the class's attribute `tested_with` is not a list of tables.
    """
    if not isinstance(definition, type):
        return (definition.options.model_dump(mode="json", by_alias=True),)
    found: Any = getattr(definition, "tested_with", None) or ({},)
    if isinstance(found, list | tuple) and all(isinstance(one, Mapping) for one in found):
        return found
    raise PluginError(
        f"{definition.__name__}.tested_with is {reprlib.repr(found)}; write a list of tables of "
        'options: [{"modulus": 5}]'
    )


def subject_of(kind: str, definition: type[Definition], options: Mapping[str, Any]) -> str:
    name = getattr(definition, "name", definition.__name__)
    spelled = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{kind} {name}({spelled})" if spelled else f"{kind} {name}"
