"""The conformance kit: all checks of a definition, and of all that a plugin registers."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from grokbench.definition import Definition
from grokbench.errors import PluginError, nearest
from grokbench.testing.conformance.checks import (
    EVERY_KIND,
    EXAMINATIONS,
    Check,
    Specimen,
    sentence_of,
)
from grokbench.testing.conformance.kinds import kind_of

if TYPE_CHECKING:
    import click

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
    """Every check of a definition; calling one examines it, and raises `Fault` if it fails.

    A class is examined with its default options, or with each of `tested_with`, where it has such
    an attribute (a list of tables of options); an instance with its own options.

    Args:
        definition: a task, architecture, optimizer, detector or measure.
        tasks: what an architecture or a measure is tried on, beside the kit's own small tasks.
        worlds: what a detector is shown, beside the kit's own simulated datasets.
        architectures: what a measure is tried on, beside grokbench's dense transformer.
        expected_failures: a check's name (or its subject, too, as it is reported: `task majority:
            mirror_free_is_true`) → why it may fail, beside those in the class's own attribute of
            that name. A check that is expected to fail and does not is a failure.

    Raises:
        TypeError: it is no definition.
        ValueError: an expected failure of a check that there is not.
        PluginError: the class's own `tested_with` or `expected_failures` is not what it should be.
    """
    made = definition if isinstance(definition, type) else type(definition)
    kind = kind_of(made)
    import_module("grokbench.testing.conformance.every_kind")
    import_module(f"grokbench.testing.conformance.{kind}s")
    examinations = {**EXAMINATIONS[EVERY_KIND], **EXAMINATIONS[kind]}
    several = options_of(definition)
    checks = [
        Check(
            subject_of(kind, made, options if len(several) > 1 else {}),
            name,
            sentence_of(examination),
            partial(
                examination,
                Specimen(made, options, tuple(tasks), tuple(worlds), tuple(architectures)),
            ),
        )
        for options in several
        for name, examination in examinations.items()
    ]
    try:
        excused = expecting(checks, own_failures(made))
    except ValueError as error:
        raise PluginError(f"{made.__name__}.expected_failures: {error}") from None
    return expecting(excused, expected_failures or {})


def own_failures(definition: type[Definition]) -> Mapping[str, str]:
    """The failures that a class itself expects: check → reason.

    Raises:
        PluginError: they are no such table.
    """
    found: Any = getattr(definition, "expected_failures", {})
    pairs = found.items() if isinstance(found, Mapping) else [(None, None)]
    if all(isinstance(one, str) and one.strip() for pair in pairs for one in pair):
        return dict(found)
    raise PluginError(
        f"{definition.__name__}.expected_failures is {reprlib.repr(found)}; write a table of checks "
        'and reasons: {"mirror_free_is_true": "order is part of the question"}'
    )


def expecting(checks: Sequence[Check], failures: Mapping[str, str]) -> list[Check]:
    """The checks, of which some are expected to fail: by name or by id, with the reason.

    Raises:
        ValueError: there is no such check; with the nearest name.
    """
    known = {name for check in checks for name in (check.name, check.id)}
    for name in failures:
        if name not in known:
            raise ValueError(f"there is no check {name!r} to fail; {nearest(name, known)}")
    return [
        replace(check, expected=reason)
        if (reason := failures.get(check.id) or failures.get(check.name))
        else check
        for check in checks
    ]


def checks_of_plugin(
    name: str,
    *,
    cli: click.Group | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> list[Check]:
    """Every check of a plugin as a whole, and of all that it registers.

    Args:
        name: of a distribution or an entry point; the path of a single file; `grokbench` for what
            is built in; or the name of one definition, which is then examined alone.
        cli: the command line whose commands a plugin's must not take the names of.
        expected_failures: as `checks_for` takes them.

    Raises:
        PluginError: there is nothing of that name, or a class's own `tested_with` or
            `expected_failures` is not what it should be.
        ValueError: an expected failure of a check that there is not.
    """
    from grokbench.testing.conformance import plugins
    from grokbench.testing.conformance.global_state import kept

    modules = plugins.modules_named(name, cli)
    checks = [check for module in modules for check in plugins.module_checks(module)]
    with kept():
        definitions = (
            plugins.definitions_of(modules) if modules else plugins.definitions_named(name)
        )
        tasks, architectures = usable_tasks(definitions), usable_architectures(definitions)
    for definition in definitions:
        checks += checks_for(definition, tasks=tasks, architectures=architectures)
    return expecting(checks, expected_failures or {})


def usable_tasks(definitions: Sequence[type[Definition]]) -> list[Task]:
    """Those of the definitions that are tasks and make examples, to try architectures on."""
    from grokbench.randomness import Streams
    from grokbench.tasks.base import Task
    from grokbench.testing.conformance.tasks import data_sizes

    usable = []
    for definition in definitions:
        if issubclass(definition, Task):
            with suppress(Exception, SystemExit):  # the task's own checks report it
                task = definition.from_options(options_of(definition)[0])
                task.examples(data_sizes(task)[0], Streams(0))
                usable.append(task)
    return usable


def usable_architectures(definitions: Sequence[type[Definition]]) -> list[Architecture]:
    """Those of the definitions that are architectures and can be made, to try measures on."""
    from grokbench.architectures.base import Architecture

    usable = []
    for definition in definitions:
        if issubclass(definition, Architecture):
            with suppress(Exception, SystemExit):  # the architecture's own checks report it
                usable.append(definition.from_options(options_of(definition)[0]))
    return usable


def options_of(definition: type[Definition] | Definition) -> Sequence[Mapping[str, Any]]:
    """The options that a definition is examined with.

    Raises:
        PluginError: the class's own are no list of tables.
    """
    if isinstance(definition, type):
        found: Any = getattr(definition, "tested_with", None) or ({},)
        if isinstance(found, list | tuple) and all(isinstance(one, Mapping) for one in found):
            return found
        raise PluginError(
            f"{definition.__name__}.tested_with is {reprlib.repr(found)}; write a list of tables of "
            'options: [{"modulus": 5}]'
        )
    return (definition.options.model_dump(mode="json", by_alias=True),)


def subject_of(kind: str, definition: type[Definition], options: Mapping[str, Any]) -> str:
    name = getattr(definition, "name", definition.__name__)
    spelled = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{kind} {name}({spelled})" if spelled else f"{kind} {name}"
