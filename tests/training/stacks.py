"""Stacks of runs, the gradients that programs compute, and those of each run's own module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.architectures import Program, Views
from grokbench.record import Choice, ModelSize, Run
from grokbench.training.programs import choose_program
from grokbench.training.single_modules import SingleModules
from grokbench.training.stack import Stack
from grokbench.training.stacked_modules import StackedModules
from tests.training.small_runs import PLUGINS, run


def stack_of(runs: Sequence[Run]) -> Stack:
    return Stack.of(runs, PLUGINS, torch.device("cpu"))


def small_stack(
    task: Choice,
    architecture: str,
    size: ModelSize,
    data_sizes: Sequence[int],
    precision: str = "float32",
    initial_scale: float = 1.0,
    **options: Any,
) -> Stack:
    """Runs of several data sizes, each with a seed of its own."""
    return stack_of(
        [
            run(
                task, Choice(architecture, options), size, data_size, seed,
                precision=precision, initial_scale=initial_scale,
            )
            for seed, data_size in enumerate(data_sizes)
        ]
    )  # fmt: skip


def own_program(stack: Stack) -> Program:
    """The program that the architecture offers, which the trainer chooses."""
    program = choose_program(stack)
    assert not isinstance(program, SingleModules | StackedModules)
    return program


def views(stack: Stack) -> Views:
    return stack.parameters.views(stack.parameters.flat)


def gradient(stack: Stack, program: Program) -> Tensor:
    """[runs, parameters]"""
    found = torch.full_like(stack.parameters.flat, torch.nan)
    program.gradient(views(stack), stack.parameters.views(found))
    return found


def plain_gradient(stack: Stack) -> Tensor:
    """Computed by each module alone, with torch's loss and autograd: [runs, parameters]."""
    rows = []
    for i, (model, one) in enumerate(zip(stack.models, stack.examples, strict=True)):
        loss = functional.cross_entropy(plain_forward(stack, i, one.train), one.labels[one.train])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        rows.append(torch.nn.utils.parameters_to_vector(gradients))
    return torch.stack(rows)


def plain_outputs(stack: Stack) -> Tensor:
    """Computed by each module alone, for all examples: [runs, examples, outputs]."""
    every = torch.ones(len(stack.examples[0].train), dtype=torch.bool)
    with torch.no_grad():
        return torch.stack([plain_forward(stack, i, every) for i in range(len(stack.models))])


def plain_forward(stack: Stack, i: int, which: Tensor) -> Tensor:
    one = stack.examples[i]
    given = (one.inputs[which], one.part[which])
    return stack.models[i](*given[: 2 if stack.setup.architecture.takes_part else 1])
