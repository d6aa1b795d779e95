"""A run's task, architecture, optimizer and measures, made from the run's names and options."""

from __future__ import annotations

from dataclasses import dataclass

from grokbench.architectures.base import Architecture
from grokbench.measures.base import Measure
from grokbench.optimizers.base import Optimizer
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.tasks.base import Task


@dataclass(frozen=True, eq=False)
class Setup:
    """One run's task, architecture, optimizer and measures."""

    task: Task
    architecture: Architecture
    optimizer: Optimizer
    measures: tuple[Measure, ...] = ()

    @classmethod
    def of(cls, run: Run, plugins: Plugins) -> Setup:
        """Look up the definitions that `run` names, and make them with the run's options.

        Raises:
            UnknownNameError: a name that no plugin registered.
            OptionsError: options that the definition does not take.
        """
        optimizer = run.recipe.optimizer
        return cls(
            plugins.tasks[run.task.name].from_options(run.task.options),
            plugins.architectures[run.architecture.name].from_options(run.architecture.options),
            plugins.optimizers[optimizer.name].from_options(optimizer.options),
            tuple(plugins.measures[one.name].from_options(one.options) for one in run.measures),
        )
