"""The contract of an architecture: one `torch.nn.Module` for one model size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from grokbench.definition import Definition
from grokbench.record import ModelSize
from grokbench.tasks.base import Task
from grokbench.tasks.judging import Judgement

Views = Mapping[str, Tensor]
"""Parameters (or gradients) of a stack by name: [runs, …] each, views into one flat tensor."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The same number of examples for every run of a stack, padded with weight zero.

    Attributes:
        inputs: [runs, examples, length] int64 or [runs, examples, width] floating point.
        labels: [runs, examples] int64 or [runs, examples, outputs] floating point.
        part: [runs, examples] int64.
        weights: [runs, examples]; the loss of a run is the sum of weight · loss.
    """

    inputs: Tensor
    labels: Tensor
    part: Tensor
    weights: Tensor


class Program(ABC):
    """How a stack of runs computes its gradients and outputs; made once for constant examples."""

    autocasts: ClassVar[bool] = False
    """Whether it may run under `torch.autocast`, in a recipe whose products are bfloat16."""

    capturable: bool = True
    """Whether it changes nothing but tensors, in place, and never waits for the device."""

    compiled: bool = False
    """Whether it has been compiled."""

    @property
    def compilable(self) -> bool:
        """Whether it may be compiled, so that the same bits come again."""
        return True

    buffers: Views = MappingProxyType({})
    """The modules' buffers by name: [runs, …] each."""

    @abstractmethod
    def gradient(self, parameters: Views, gradients: Views) -> None:
        """Overwrite `gradients` with those of every run's training loss."""

    @abstractmethod
    def outputs(self, parameters: Views) -> Tensor:
        """The outputs for the evaluation examples: [runs, examples, outputs]."""

    def compile(self) -> None:
        """Have `torch.compile` take what pays; called at most once."""
        self.gradient = torch.compile(self.gradient, dynamic=False)  # type: ignore[method-assign]
        self.compiled = True

    def plain(self) -> None:
        """Undo `compile`."""
        self.__dict__.pop("gradient", None)
        self.compiled = False

    def state(self) -> dict[str, Any]:
        """What training changes beside parameters: tensors with a row a run, in dicts."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (most change nothing)
        """Go on from what `state` gave."""


class Architecture(Definition, ABC):
    """Makes one plain `nn.Module` for one model size; the trainer does the stacking.

    The module's `forward` takes a batch of the task's inputs, [examples, …], and gives
    [examples, outputs]. With `takes_part = True` it is also given each example's part,
    [examples] int64.
    """

    takes_part: ClassVar[bool] = False

    def refuses(self, task: Task, size: ModelSize) -> str | None:
        """Why a model of this size cannot be made for this task, and what can; None when it can."""
        return None

    @abstractmethod
    def build(self, size: ModelSize, task: Task) -> nn.Module:
        """A freshly initialized module.

        Initial weights are drawn from torch's global generator, which the trainer has seeded for
        the run and restores afterwards.
        """

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program | None:
        """A faster exact program for a stack of such models; None to be stacked by `torch.func`.

        `model` is one of the stack, for its shapes; nothing of its weights may be used.
        """
        return None
