"""Compiled gradients, for cohorts that train long enough to pay for the compiler."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from grokbench.architectures.base import Program, Views
from grokbench.record import Run

COMPILED_WORK = {"cpu": 2e13, "cuda": 2e15}
"""Floating-point operations from which a cohort is compiled, by device: minutes of work, because
compiling takes most of one. Counted from shapes and never timed, so that the same cohort is always
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
    """
    program.gradient(parameters, gradients)
    plain = {name: value.clone() for name, value in gradients.items()}
    try:
        program.compile()
        program.gradient(parameters, gradients)
    except Exception:  # noqa: BLE001 (a compiler may raise anything)
        program.plain()
        return
    if any(distance(gradients[name], plain[name]) > AGREEMENT for name in plain):
        program.plain()


def distance(left: torch.Tensor, right: torch.Tensor) -> float:
    """How far apart two tensors are, relative to the second."""
    apart = torch.linalg.vector_norm((left - right).double())
    return float(apart / torch.linalg.vector_norm(right.double()).clamp_min(1e-30))
