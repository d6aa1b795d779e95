"""A single-file plugin: architectures whose stacks of more than two runs find too little memory."""

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
    """Another program, but for stacks that are too large: those have no memory at their third step.

    A stack that was too large must be gone when the next is made, or it would have none either.
    """

    too_large: ClassVar[weakref.WeakSet[Greedy]] = weakref.WeakSet()

    def __init__(self, program: Program, runs: int, device: str) -> None:
        if self.too_large:
            raise ValueError("the former stack still holds its memory")
        self.program, self.device, self.steps = program, device, 0
        self.cycle = self  # as a compiled program has, so that counting references frees nothing
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
    """The machine's memory is too short."""

    name = "greedy_cpu"
    device = "cpu"

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program:
        program = super().program(model, judgement, train, evaluation)
        assert program is not None
        return Greedy(program, len(train.weights), self.device)


class GreedyThere(GreedyHere):
    """The device's memory is too short."""

    name = "greedy_cuda"
    device = "cuda"


@grokbench.hookimpl
def register_architectures(register) -> None:  # type: ignore[no-untyped-def]
    register(GreedyHere)
    register(GreedyThere)
