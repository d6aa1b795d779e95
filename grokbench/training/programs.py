"""Which program computes the gradients and outputs of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from grokbench.architectures.base import Program
from grokbench.errors import PluginFailure
from grokbench.plugins import Plugins, guard
from grokbench.record import Run
from grokbench.training.probe import Probe
from grokbench.training.single_modules import SingleModules
from grokbench.training.stack import Stack
from grokbench.training.stacked_modules import StackedModules

PROBED_RUNS = 3
"""A plan probes this many runs of each shape, which stand for all of them. Training probes the
whole cohort."""


def choose_program(stack: Stack) -> Program:
    """The architecture's own program, or the modules stacked by `torch.func`, or one by one.

    A single run is never stacked. An architecture's own program is not used for bfloat16 products
    unless it may run under `torch.autocast`, and for batches only if it takes them.

    Raises:
        PluginError: modules cannot be trained as torch trains them. The message says why.
        Exception: whatever else a plugin raises.
    """
    setup = stack.setup
    own = setup.architecture.program(
        stack.models[0], setup.task.judgement, stack.train, stack.evaluation
    )
    recipe = stack.runs[0].recipe
    if own is not None and all(
        (
            own.autocasts or recipe.precision != "bfloat16",
            own.takes_batches or recipe.batch_size is None,
        )
    ):
        return own
    probe = Probe.of(stack)
    if probe.why_one_by_one or len(stack.models) == 1:
        return SingleModules.of(
            stack, unreached=probe.unreached, why_one_by_one=probe.why_one_by_one
        )
    return StackedModules.of(stack, unreached=probe.unreached)


@dataclass(frozen=True)
class Probed:
    """How runs of one shape will be trained.

    Attributes:
        why_one_by_one: why runs are trained one after the other; empty when they are stacked.
        error: why a run cannot be made or trained; empty when it can.
    """

    why_one_by_one: str = ""
    error: str = ""


def probed(runs: Sequence[Run], plugins: Plugins) -> Probed:
    """How runs of this shape will be trained, found by trying the first of them."""
    try:
        with guard("the run's module"):
            stack = Stack.of(runs[:PROBED_RUNS], plugins, torch.device("cpu"))
            program = choose_program(stack)
            # An optimizer may find that these parameters are not for it.
            trained, optimizer = stack.parameters.without(program.unreached), stack.setup.optimizer
            optimizer.shapes = trained.shapes
            optimizer.start(trained.flat)
            return Probed(why_one_by_one=str(program.why_one_by_one))
    except PluginFailure as failure:
        return Probed(error=failure.told)
