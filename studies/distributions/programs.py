"""Every program of the trainer by name, so that a cohort can be trained by any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from grokbench.architectures.base import Program
from grokbench.architectures.factored import FactoredTransformer
from grokbench.architectures.prefix import PrefixTransformer
from grokbench.architectures.transformer import Transformer, design_of
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.training.cohort import CohortTraining
from grokbench.training.single_modules import SingleModules
from grokbench.training.stack import Stack
from grokbench.training.stacked_modules import StackedModules


def factored(stack: Stack) -> Program:
    program = stack.setup.architecture.program(
        stack.models[0], stack.setup.task.judgement, stack.train, stack.evaluation
    )
    assert isinstance(program, FactoredTransformer), "the factored form is not exact here"
    return program


def prefix(stack: Stack) -> Program:
    """The prefix form, even where the architecture itself would choose the factored form."""
    model = stack.models[0]
    assert isinstance(model, Transformer)
    judgement = stack.setup.task.judgement
    return PrefixTransformer(design_of(model), judgement, stack.train, stack.evaluation)


PROGRAMS: dict[str, Callable[[Stack], Program]] = {
    "one by one": SingleModules.of,
    "stacked": StackedModules.of,
    "factored": factored,
    "prefix": prefix,
}


def cohort_with(
    program: str, runs: Sequence[Run], plugins: Plugins, *, compiled: bool = False
) -> CohortTraining:
    """A cohort that trains with the named program, whichever the trainer would choose itself."""
    cohort = CohortTraining(runs, plugins, torch.device("cpu"), PROGRAMS[program])
    if compiled:
        cohort.compile()
        assert cohort.program.compiled, f"{program} was not compiled"
    return cohort
