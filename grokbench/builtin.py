"""The plugin that registers grokbench's own tasks, architectures, optimizers and detectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grokbench.hookspecs import hookimpl


@hookimpl
def register_tasks(register: Callable[[type[Any]], None]) -> None:
    from grokbench import tasks

    for task in tasks.BUILT_IN:
        register(task)


@hookimpl
def register_architectures(register: Callable[[type[Any]], None]) -> None:
    from grokbench import architectures

    for architecture in architectures.BUILT_IN:
        register(architecture)


@hookimpl
def register_optimizers(register: Callable[[type[Any]], None]) -> None:
    from grokbench import optimizers

    for optimizer in optimizers.BUILT_IN:
        register(optimizer)


@hookimpl
def register_detectors(register: Callable[[type[Any]], None]) -> None:
    from grokbench import phenomena

    for detector in phenomena.BUILT_IN:
        register(detector)
