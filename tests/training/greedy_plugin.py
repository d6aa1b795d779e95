"""A single-file plugin: architectures without memory for stacks of more than two runs."""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import grokbench
from grokbench.architectures import Batch, Dense, Program
from grokbench.tasks.judging import Judgement

MOST_RUNS = 2


class Greedy(Program):
    """Wraps a program. A stack that is too large runs out of memory at its third step.

    The memory of such a stack must be free when the next stack is made.
    """

    too_large: ClassVar[weakref.WeakSet[Greedy]] = weakref.WeakSet()

    def __init__(self, program: Program, runs: int, device: str) -> None:
        if self.too_large:
            raise ValueError("the former stack still holds its memory")
        self.program, self.device, self.steps = program, device, 0
        self.cycle = self  # a compiled program has cycles: counting references does not free it
        if runs > MOST_RUNS:
            self.too_large.add(self)

    def gradient(self, parameters: Any, gradients: Any) -> None:
        self.steps += 1
        if self in self.too_large and self.steps == 3:
            if self.device == "cpu":
                torch.empty(2**60)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.program.gradient(parameters, gradients)

    def outputs(self, parameters: Any) -> Tensor:
        return self.program.outputs(parameters)


class GreedyHere(Dense):
    """The machine has too little memory."""

    name = "greedy_cpu"
    device = "cpu"

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program:
        program = super().program(model, judgement, train, evaluation)
        assert program is not None
        return Greedy(program, len(train.weights), self.device)


class GreedyThere(GreedyHere):
    """The device has too little memory."""

    name = "greedy_cuda"
    device = "cuda"


@grokbench.hookimpl
def register_architectures(register) -> None:  # type: ignore[no-untyped-def]
    register(GreedyHere)
    register(GreedyThere)
