"""How steps are executed: as they come, or captured in CUDA graphs."""

from __future__ import annotations

import torch
from torch import Tensor

from grokbench.optimizers.base import Optimizer
from grokbench.training.cohort import CohortTraining
from grokbench.training.graphs import Graphs


class Execution:
    """Each operation as it comes.

    Attributes:
        stride: the most steps to ask for at once; between two askings a loop may look around.
        refused: why steps are not captured where they might be; empty otherwise.
    """

    stride = 1
    refused = ""

    def __init__(self, descent: CohortTraining) -> None:
        self.descent = descent

    def advance(self, steps: int) -> None:
        """Take so many steps, at most `stride`."""
        for _ in range(steps):
            self.descent.step()
        self.descent.taken += steps

    def evaluate(self) -> Tensor:
        """See `CohortTraining.evaluate`; valid until the next call."""
        return self.descent.evaluate()


class Captured(Execution):
    """Steps and evaluations replayed from CUDA graphs (see `graphs`)."""

    def __init__(self, descent: CohortTraining) -> None:
        super().__init__(descent)
        self.graphs = Graphs(descent.step, descent.evaluate)
        self.stride = self.graphs.stride

    def advance(self, steps: int) -> None:
        self.graphs.advance(steps)
        self.descent.taken += steps

    def evaluate(self) -> Tensor:
        return self.graphs.evaluate()

    @property
    def refused(self) -> str:  # type: ignore[override]
        return self.graphs.refused


def execution_of(descent: CohortTraining) -> Execution:
    """The fastest way that the descent's device, program and optimizer allow."""
    if descent.device.type != "cuda" or not descent.program.capturable:
        return Execution(descent)
    execution = Execution(descent)
    execution.refused = reads_back(descent.optimizer)
    return execution if execution.refused else Captured(descent)


def reads_back(optimizer: Optimizer) -> str:
    """What an optimizer raises where tensors have shapes and no values; empty if it looks at none.

    One that does would wait for the device at every step, and must not be captured: an attempt that
    fails can spoil those that follow in the same process.
    """
    parameters = torch.empty(2, 3, device="meta")
    rate, count = parameters.new_empty(2, 1), parameters.new_empty((), dtype=torch.float64)
    try:
        fresh = type(optimizer)(optimizer.options)
        fresh.start(parameters)
        fresh.step(parameters, torch.empty_like(parameters), rate, parameters.clone(), count)
    except Exception as error:  # noqa: BLE001 (a plugin may raise anything)
        return f"{optimizer.name} looks at values: {str(error).splitlines()[0]}"
    return ""
