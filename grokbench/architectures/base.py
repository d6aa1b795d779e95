"""The contract of an architecture: one `torch.nn.Module` for one model size."""

from __future__ import annotations

import math
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
"""Parameters (or gradients) of a stack by name, each [runs, …]: views into one flat tensor."""


def views(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Views:
    """A flat tensor [runs, parameters] as {name: [runs, *shape]}, sharing its memory.

    Args:
        shapes: the shape of each parameter of one run, in the order of the columns.
    """
    pieces = torch.split(flat, [math.prod(shape) for shape in shapes.values()], dim=1)
    return {
        name: piece.view(len(flat), *shape)
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }


@dataclass(frozen=True, eq=False)
class Batch:
    """The same number of examples for every run of a stack; runs with fewer examples are padded.

    Attributes:
        inputs: [runs, examples, length] int64, [runs, examples, width] floating point, or
            [runs, examples, channels, height, width] floating point.
        labels: [runs, examples] int64 or [runs, examples, outputs] floating point.
        part: [runs, examples] int64.
        weights: [runs, examples], zero for padding. The loss of a run is the sum over examples of
            weight · loss.
    """

    inputs: Tensor
    labels: Tensor
    part: Tensor
    weights: Tensor

    def pick(self, rows: Tensor, weights: Tensor) -> Batch:
        """Some examples of every run, with weights of their own.

        Args:
            rows: [runs, picked] int64.
            weights: [runs, picked].
        """
        run = torch.arange(len(rows), device=rows.device)[:, None]
        return Batch(self.inputs[run, rows], self.labels[run, rows], self.part[run, rows], weights)

    def overwrite(self, other: Batch) -> None:
        """Copy the values of a batch of the same shapes into this one."""
        for name, value in vars(self).items():
            value.copy_(getattr(other, name))


class Program(ABC):
    """Computes the gradients and outputs of a stack of runs; made once for constant examples.

    Where a recipe has a batch size, each step selects some of the training examples.

    A program must give the gradients of each run's own loss, as if the run were alone. The losses
    of the runs are summed and not averaged: Adam's epsilon is not scale-free, so that gradients
    divided by the number of runs would train otherwise.
    """

    autocasts: ClassVar[bool] = False
    """Whether the program may run under `torch.autocast`, for a recipe with bfloat16 products."""

    takes_batches: ClassVar[bool] = False
    """Whether `select` is there. A program without it trains full batches alone; where a recipe has a
    batch size, the trainer then stacks the modules itself."""

    capturable: bool = True
    """Whether a step may be captured in a CUDA graph: the program changes nothing but tensors, in
    place, and never waits for the device."""

    compiled: bool = False
    """Whether the program has been compiled."""

    unreached: frozenset[str] = frozenset()
    """The names of parameters that want a gradient and get none. As in torch, no optimizer changes
    them."""

    why_one_by_one: str = ""
    """Why runs are computed one after the other, where they might be stacked."""

    @property
    def compilable(self) -> bool:
        """Whether the program may be compiled and still gives the same bits every time."""
        return True

    buffers: Views = MappingProxyType({})
    """The modules' buffers by name, each [runs, …]."""

    @abstractmethod
    def gradient(self, parameters: Views, gradients: Views) -> None:
        """Overwrite `gradients` with the gradient of every run's training loss.

        Args:
            parameters: by name, each [runs, …], also those that do not train. They must not be
                changed, unless the module itself writes into them.
            gradients: of the same shapes, for some names; zero for a parameter without a gradient.
        """

    def select(self, rows: Tensor, weights: Tensor) -> None:
        """Let `gradient` be that of these training examples alone, until the next call.

        Called before every gradient, with the same shapes, or never. What a compiled or captured
        `gradient` reads must be written in place, and no value may be read back from the device.

        Args:
            rows: [runs, size] int64, the places of the examples among the run's training examples.
            weights: [runs, size], 1 / the number of the run's examples in the batch, and zero for
                padding, which names some example of the run.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no batches")

    @abstractmethod
    def outputs(self, parameters: Views) -> Tensor:
        """The outputs for the evaluation examples: [runs, examples, outputs]."""

    def compile(self) -> None:
        """Compile the slow part with `torch.compile`; called at most once."""
        self.gradient = torch.compile(self.gradient, dynamic=False)  # type: ignore[method-assign]
        self.compiled = True

    def plain(self) -> None:
        """Undo `compile`."""
        self.__dict__.pop("gradient", None)
        self.compiled = False

    def state(self) -> dict[str, Any]:
        """What training changes beside parameters: dicts of tensors with a row for each run, and of
        lists with an entry for each run.
        """
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (most change nothing)
        """Continue from what `state` gave."""


class Architecture(Definition, ABC):
    """Makes one plain `nn.Module` for one model size; the trainer does the stacking.

    The module's `forward` takes a batch of the task's inputs, [examples, …], and gives
    [examples, outputs]. With `takes_part = True` it is also given each example's part,
    [examples] int64.
    """

    takes_part: ClassVar[bool] = False

    def refuses(self, task: Task, size: ModelSize) -> str | None:
        """Why this task has no model of this size, and what to write instead; else None."""
        return None

    @abstractmethod
    def build(self, size: ModelSize, task: Task) -> nn.Module:
        """A freshly initialized module.

        Draw initial weights from torch's global generator. The trainer has seeded that generator
        for the run and restores it afterwards.
        """

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program | None:
        """A faster exact program for a stack of such models; None to be stacked by `torch.func`.

        Args:
            model: one module of the stack, for its shapes; its weights must not be used.
            judgement: the task's loss.
            train: the training examples of all runs.
            evaluation: all examples of all runs.
        """
        return None
