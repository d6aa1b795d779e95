"""Compiled gradients, for cohorts that train long enough to pay for the compiler."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from grokbench.architectures.base import Program, Views
from grokbench.per_device import PerDevice
from grokbench.record import Run
from grokbench.training.memory import out_of_memory

COMPILING_SECONDS = 60.0
"""With less time left, a cohort that is to be compiled does not begin. In measurements compiling
took 16 to 50 s."""

COMPILED_WORK = PerDevice(cpu=4e13, cuda=2e15)
"""A cohort of at least this many floating-point operations is compiled: minutes of work, because
compiling takes most of a minute. On a CPU this was measured, for steps about 1.2 times as fast; on
a GPU it is an estimate. The operations are counted from shapes and never timed: a compiled program
rounds otherwise, and the same cohort must always give the same bits."""

AGREEMENT = 0.05
"""How far, relatively, compiled and plain gradients may differ. The bound lies between the rounding
of bfloat16 products (about 0.01) and a wrong gradient (about 1)."""


def pays(runs: Sequence[Run], parameters: int, device: torch.device) -> bool:
    """Whether these runs train long enough for the compiler to pay.

    Args:
        parameters: the number of parameters of one run.
    """
    examples = sum(run.step_examples for run in runs)
    # A multiplication and an addition per parameter, example and step in the forward pass, and
    # twice as many in the backward pass.
    work = 6.0 * parameters * examples * runs[0].recipe.steps
    return work >= COMPILED_WORK[device.type]


def compile_program(program: Program, parameters: Views, gradients: Views) -> None:
    """Have `program` compiled, if there is a compiler and its gradients agree with the plain ones.

    Otherwise the program stays plain (`program.compiled` says which): a computer without a C++
    compiler loses nothing but speed. The program's state is the same afterwards.

    Raises:
        RuntimeError: there is too little memory.
    """
    # Computing a gradient changes buffers and random streams, which must not show in the training.
    initial = copy.deepcopy(program.state())
    program.gradient(parameters, gradients)
    plain = {name: value.clone() for name, value in gradients.items()}
    program.restore(initial)
    try:
        compile_without_limit()
        program.compile()
        program.gradient(parameters, gradients)
        agrees = agree(gradients, plain)
    except Exception as error:
        if out_of_memory(error):
            raise
        agrees = False
    if not agrees:
        program.plain()
    program.restore(initial)


def compile_without_limit() -> None:
    """Raise torch's limit on recompilations, after which it silently stops compiling.

    Torch counts each program as a recompilation of the one before, and its limit is eight.
    """
    torch._dynamo.config.recompile_limit = 10_000
    torch._dynamo.config.accumulated_recompile_limit = 10_000


def agree(found: Views, expected: Views) -> bool:
    """Whether gradients are finite and near the expected gradients, parameter by parameter.

    A gradient that is zero but for rounding (for example, of a bias of keys) agrees with nothing.
    So each gradient may also be wrong by a millionth of the norm of all gradients.
    """
    whole = torch.cat([value.flatten() for value in expected.values()]).double()
    noise = 1e-6 * torch.linalg.vector_norm(whole)
    for name, value in expected.items():
        apart = torch.linalg.vector_norm((found[name] - value).double())
        if not apart <= AGREEMENT * torch.linalg.vector_norm(value.double()) + noise:
            return False
    return True
