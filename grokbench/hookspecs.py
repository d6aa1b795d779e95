"""The plugin contract: the hooks that a plugin can implement, and when each is called.

A plugin is a module with some of these functions, each marked with `@grokbench.hookimpl`. There are
three ways to name the module:

- a package announces the module in the entry-point group `grokbench`;
- the command line names a single file: `--plugin file.py`;
- a suite names a single file beside itself: `plugins = ["file.py"]`.

grokbench's own tasks, architectures, optimizers and detectors are registered by the same hooks, in
`grokbench/builtin.py`.

The `register_…` hooks of definitions are called in every process that reads a suite or trains runs,
each at most once: when that process first needs a definition of the kind, or a list of all plugins.
All plugins are listed by `grokbench list plugins`, when a suite that names single files has been
read, and at the end of `grokbench run`, for the provenance. A hook must register the same classes
every time. `register(cls)` checks the class at once. A class that is not
usable is an error of the plugin, and the plugin's other classes stay registered. A name that two
plugins register is an error of both, and neither definition can be used.

A hook that raises an error harms no other plugin: `grokbench list plugins` shows the error.
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
    """Register tasks.

    Called when an experiment's `task` is looked up, before the rest of the experiment is checked.

    Args:
        register: call it with each class: `register(MyTask)`.
    """


@hookspec
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    """Register architectures.

    Called when an experiment's `architecture` is looked up, after its task.

    Args:
        register: call it with each class: `register(MyArchitecture)`.
    """


@hookspec
def register_optimizers(register: Callable[[type[Optimizer]], None]) -> None:
    """Register optimizers.

    Called when a recipe's `optimizer` is looked up. Recipes are read before experiments.

    Args:
        register: call it with each class: `register(MyOptimizer)`.
    """


@hookspec
def register_measures(register: Callable[[type[Measure]], None]) -> None:
    """Register measures.

    Called when an experiment's `measures` are looked up, after its task and architecture.

    Args:
        register: call it with each class: `register(MyMeasure)`.
    """


@hookspec
def register_detectors(register: Callable[[type[Detector]], None]) -> None:
    """Register detectors.

    Called when a claim's `detector` is looked up, after all experiments were read. Worker processes,
    which only train, do not call the hook.

    Args:
        register: call it with each class: `register(MyDetector)`.
    """


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands to the command line.

    Called when all commands are listed (`grokbench --help`), when the command line names a command
    that grokbench does not have itself, and by `grokbench list plugins`. Only modules in the
    entry-point group `grokbench.commands` are asked. The module should import nothing heavy at its
    top, because `grokbench --help` imports it.

    Args:
        cli: an empty group of the plugin's own: `cli.add_command(my_command)`. The commands are then
            moved to `grokbench`. A command whose name is taken is left out, which is an error.
    """
