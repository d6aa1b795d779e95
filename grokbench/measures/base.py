"""The contract of a measure: numbers read off one run's model at every evaluation."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from grokbench.architectures.base import Architecture
from grokbench.definition import Definition
from grokbench.record import ModelSize
from grokbench.tasks.base import Examples, Task


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One run as it stands at an evaluation; everything is on the device that trains it.

    Attributes:
        step: optimizer steps taken.
        size: the model's.
        weights: the model's parameters by the module's own names, in copies.
        outputs: [examples, outputs] for all of `examples`, in evaluation.
        examples: those that train and those that validate, as the task made them.
        arguments: what the module's `forward` takes for all of them: inputs, and each example's
            part where the architecture asks for it.
        buffers: the module's buffers by name.
        like: a module of the same shape, whose weights say nothing.
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
        """A module of one's own with these weights, in evaluation: to be called, hooked, changed."""
        module = copy.deepcopy(self.like).to(self.outputs.device)
        # A parameter under two names is there under one.
        module.load_state_dict({**self.weights, **self.buffers}, strict=False)
        return module.eval()


class Measure(Definition, ABC):
    """Numbers that are read off each run's model at every evaluation, and stored beside its curves.

    `quantities` names what is measured and says in words what it is: `{"sparsity": "Gini
    coefficient of the embedding's spectrum"}`. A quantity's variable in the results is named after
    the measure and itself, `fourier_sparsity`; it is float32 over the grid and `step`, and NaN
    where nothing was measured.
    """

    quantities: ClassVar[Mapping[str, str]]

    def refuses(self, task: Task, architecture: Architecture, size: ModelSize) -> str | None:
        """Why models of this size cannot be measured in this task, and what can; None if they can."""
        return None

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> Mapping[str, Tensor | float]:
        """One number for each of `quantities`; NaN where there is none.

        Called without gradients. Random numbers that are drawn from torch's global generators are
        the run's own, and the same at every evaluation.
        """
