"""The whole plugin contract.

A plugin is a module (or an object) with any of these functions, marked with `grokbench.hookimpl`.
A package announces its module under the entry-point group `grokbench`; a single file is named
with `--plugin file.py` or in a suite's `plugins = ["file.py"]`. grokbench's own tasks,
architectures, optimizers and detectors come in through the same hooks.

Commands alone are announced under a group of their own, `grokbench.commands`, because
`grokbench --help` imports those modules: they should import nothing heavy until they are run.

`register` checks each thing as it comes in and knows who sent it; a name that is taken is an error
that names both packages. Hooks are called only when a command needs what they register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from grokbench.architectures.base import Architecture
    from grokbench.measures.base import Measure
    from grokbench.optimizers.base import Optimizer
    from grokbench.phenomena.base import Detector
    from grokbench.tasks.base import Task

hookspec = pluggy.HookspecMarker("grokbench")
hookimpl = pluggy.HookimplMarker("grokbench")


@hookspec
def register_tasks(register: Callable[[type[Task]], None]) -> None:
    """Register tasks: `register(MyTask)` for each."""


@hookspec
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    """Register architectures: `register(MyArchitecture)` for each."""


@hookspec
def register_optimizers(register: Callable[[type[Optimizer]], None]) -> None:
    """Register optimizers: `register(MyOptimizer)` for each."""


@hookspec
def register_measures(register: Callable[[type[Measure]], None]) -> None:
    """Register measures: `register(MyMeasure)` for each."""


@hookspec
def register_detectors(register: Callable[[type[Detector]], None]) -> None:
    """Register detectors: `register(MyDetector)` for each."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands of your own: `cli.add_command(my_command)`; `cli` is an empty group of yours.

    Called only in modules under the entry-point group `grokbench.commands`.
    """
