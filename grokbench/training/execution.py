"""How steps are executed: operation by operation, or replayed from CUDA graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grokbench.errors import PluginFailure
from grokbench.optimizers.base import Optimizer
from grokbench.plugins import guard
from grokbench.switches import OF_A_THREAD
from grokbench.training.cohort import CohortTraining
from grokbench.training.graphs import Graphs


class Execution:
    """Executes each operation of a step when Python calls it.

    Attributes:
        stride: the most steps to ask for at once. Between two calls the loop may keep a checkpoint
            or stop.
        refused: why steps are not captured, where they might be; empty otherwise.
    """

    stride = 1
    refused = ""

    def __init__(self, training: CohortTraining) -> None:
        self.training = training

    def advance(self, steps: int) -> None:
        """Take this many steps, at most `stride`."""
        self.training.prepare(steps)
        for _ in range(steps):
            self.training.step()
        self.training.taken += steps

    def evaluate(self) -> Tensor:
        """See `CohortTraining.evaluate`. The tensor is valid until the next call."""
        return self.training.evaluate()


class Captured(Execution):
    """Replays steps and evaluations from CUDA graphs (see `graphs`)."""

    def __init__(self, training: CohortTraining) -> None:
        super().__init__(training)
        self.graphs = Graphs(training.step, training.evaluate)
        self.stride = self.graphs.stride

    def advance(self, steps: int) -> None:
        self.training.prepare(steps)
        self.graphs.advance(steps)
        self.training.taken += steps

    def evaluate(self) -> Tensor:
        return self.graphs.evaluate()

    @property
    def refused(self) -> str:  # type: ignore[override]
        return self.graphs.refused


def execution_of(training: CohortTraining) -> Execution:
    """The fastest execution that the device, the program and the optimizer allow."""
    if training.device.type != "cuda" or not training.program.capturable:
        return Execution(training)
    execution = Execution(training)
    execution.refused = reads_back(training.optimizer)
    return execution if execution.refused else Captured(training)


def reads_back(optimizer: Optimizer) -> str:
    """Why an optimizer cannot be captured: it looks at values; empty if it looks at none.

    Takes one step on torch's `meta` device, where tensors have shapes and no values, so that
    looking at a value raises an error. Such an optimizer would wait for the device at every step.
    To try a capture instead would not do: one that fails can spoil later captures of the same
    process.
    """
    columns = sum(math.prod(shape) for shape in optimizer.shapes.values())
    parameters = torch.empty(2, columns, device="meta")
    rate, count = parameters.new_empty(2, 1), parameters.new_empty((), dtype=torch.float64)
    try:
        with guard(optimizer.name, switches=OF_A_THREAD):
            fresh = type(optimizer)(optimizer.options)
            fresh.shapes = optimizer.shapes
            fresh.start(parameters)
            fresh.step(parameters, torch.empty_like(parameters), rate, parameters.clone(), count)
    except PluginFailure as failure:
        return f"{optimizer.name} looks at values: {failure.told}"
    return ""
