"""Which program computes the gradients and outputs of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from grokbench.architectures.base import Program
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.training.module_program import ModuleProgram
from grokbench.training.probe import why_not_stacked
from grokbench.training.stack import Stack

PROBED_RUNS = 3
"""A plan probes this many runs of each shape, which stand for all of them. Training probes the
whole cohort."""


def choose_program(stack: Stack) -> Program:
    """The architecture's own program, or the modules stacked by `torch.func`, or one by one.

    A single run is never stacked. An architecture's own program is not used for bfloat16 products
    unless it may run under `torch.autocast`.
    """
    setup = stack.setup
    own = setup.architecture.program(
        stack.models[0], setup.task.judgement, stack.train, stack.evaluation
    )
    if own is not None and (own.autocasts or stack.runs[0].recipe.precision != "bfloat16"):
        return own
    if len(stack.models) == 1:
        return ModuleProgram.of(stack, stacked=False)
    reason = why_not_stacked(stack.models, setup.architecture, setup.task.judgement, stack.train)
    return ModuleProgram.of(stack, stacked=not reason, why_one_by_one=reason)


def why_one_by_one(runs: Sequence[Run], plugins: Plugins) -> str:
    """Why runs of this shape will be trained one after the other; empty when they are stacked.

    Empty also where a run cannot be made: training will record the error.
    """
    try:
        stack = Stack.of(runs[:PROBED_RUNS], plugins, torch.device("cpu"))
        return choose_program(stack).why_one_by_one
    except Exception:  # noqa: BLE001 (a plugin may raise anything)
        return ""
