"""Compiled gradients, for cohorts that train long enough to pay for the compiler."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from grokbench.architectures.base import Program, Views
from grokbench.record import Run
from grokbench.training.process import out_of_memory

COMPILING_SECONDS = 60.0
"""With less time left, a cohort that is to be compiled is not begun: 16 to 50 s were measured."""

COMPILED_WORK = {"cpu": 4e13, "cuda": 2e15}
"""Floating-point operations from which a cohort is compiled, by device: minutes of work, because
compiling takes most of one (on a CPU, measured, for steps about 1.2 times as fast; on a GPU,
estimated). Counted from shapes and never timed, so that the same cohort is always
compiled or never, and its bits with it."""

AGREEMENT = 0.05
"""How far, relatively, compiled and plain gradients may differ: bfloat16 products differ by a
hundredth, and wrong gradients by about 1."""


def pays(runs: Sequence[Run], parameters: int, device: torch.device) -> bool:
    """Whether these runs, of so many parameters each, train long enough."""
    examples = sum(run.data_size for run in runs)
    work = 6.0 * parameters * examples * runs[0].recipe.steps
    return work >= COMPILED_WORK.get(device.type, COMPILED_WORK["cuda"])


def compile_program(program: Program, parameters: Views, gradients: Views) -> None:
    """Have `program` compiled, if there is a compiler and its gradients agree with the plain ones.

    Leaves it plain otherwise (`program.compiled` says which): on a laptop without a C++ compiler
    nothing is lost but speed.

    Raises:
        RuntimeError: memory is too short, compiled or not.
    """
    begun = copy.deepcopy(program.state())
    program.gradient(parameters, gradients)
    plain = {name: value.clone() for name, value in gradients.items()}
    program.restore(begun)
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
    program.restore(begun)


def compile_without_limit() -> None:
    """Each program counts as a recompilation of the last, and after eight torch gives up silently."""
    torch._dynamo.config.recompile_limit = 10_000
    torch._dynamo.config.accumulated_recompile_limit = 10_000


def agree(found: Views, expected: Views) -> bool:
    """Whether gradients are finite and near the expected ones, name by name.

    A gradient that is zero but for rounding (of a bias of keys, say) has nothing in it to agree
    with: a millionth of all gradients may be wrong in any.
    """
    whole = torch.cat([value.flatten() for value in expected.values()]).double()
    noise = 1e-6 * torch.linalg.vector_norm(whole)
    for name, value in expected.items():
        apart = torch.linalg.vector_norm((found[name] - value).double())
        if not apart <= AGREEMENT * torch.linalg.vector_norm(value.double()) + noise:
            return False
    return True
