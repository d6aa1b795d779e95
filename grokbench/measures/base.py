"""The contract of a measure: numbers computed from one run's model at every evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from grokbench.architectures.base import Architecture
from grokbench.architectures.copying import copied, take_over
from grokbench.definition import Definition
from grokbench.record import ModelSize
from grokbench.tasks.base import Examples, Task


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One run at an evaluation; every tensor is on the device that trains the run.

    Attributes:
        step: the number of optimizer steps taken.
        size: the model's size.
        weights: copies of the model's parameters, by the module's own names.
        outputs: the outputs for all `examples` in evaluation mode, [examples, outputs].
        examples: all examples of the run, as the task made them.
        arguments: the arguments of the module's `forward` for all examples: the inputs, and each
            example's part where the architecture asks for the part.
        buffers: copies of the module's buffers, by name.
        like: a module of the same shape, whose weights have no meaning. Its plain attributes are
            those of the run.
    """

    step: int
    size: ModelSize
    weights: Mapping[str, Tensor]
    outputs: Tensor
    examples: Examples
    arguments: tuple[Tensor, ...]
    buffers: Mapping[str, Tensor]
    like: nn.Module

    def module(self) -> nn.Module:
        """A new module with these weights, in evaluation mode; it may be called and changed."""
        module = copied(self.like).to(self.outputs.device)
        take_over(module, {**self.weights, **self.buffers})
        return module.eval()


class Measure(Definition, ABC):
    """Numbers that are computed from each run's model at every evaluation, and stored as curves.

    `quantities` gives each number a name and describes it in words: `{"sparsity": "Gini coefficient
    of the embedding's spectrum"}`. The variable in the results is named after the measure and the
    quantity, such as `fourier_sparsity`. It is float32 over the grid and `step`, and NaN where
    nothing was measured.
    """

    quantities: ClassVar[Mapping[str, str]]

    def refuses(self, task: Task, architecture: Architecture, size: ModelSize) -> str | None:
        """Why models of this size cannot be measured in this task, and what can be; else None."""
        return None

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> Mapping[str, Tensor | float]:
        """One number for each of `quantities`; NaN where a quantity is not defined.

        Called without gradients. Torch's global generators are seeded for the run and the measure,
        in the same way at every evaluation.
        """
