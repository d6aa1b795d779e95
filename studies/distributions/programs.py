"""Every program of the trainer by name, so that a cohort can be trained by any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from grokbench.architectures.base import Batch, Program
from grokbench.architectures.factored import FactoredTransformer
from grokbench.architectures.prefix import PrefixTransformer
from grokbench.architectures.stacked_layers import Design
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.training import Setup
from grokbench.training.cohort import CohortTraining
from grokbench.training.programs import ModuleProgram
from grokbench.training.stack import build_model, evaluation_batch, training_batch

Make = Callable[[Sequence[nn.Module], Setup, Batch, Batch], Program]
"""(models, setup, training examples, evaluation examples) → a program."""


def modules(
    models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch, *, stacked: bool
) -> Program:
    """The models' own modules, stacked by `vmap` or one by one."""
    return ModuleProgram(
        models, made.architecture.takes_part, made.task.judgement, train, evaluation,
        stacked=stacked, noise=range(len(models)),
    )  # fmt: skip


def factored(models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch) -> Program:
    program = made.architecture.program(models[0], made.task.judgement, train, evaluation)
    assert isinstance(program, FactoredTransformer), "the factored form is not exact here"
    return program


def prefix(models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch) -> Program:
    """The prefix form, even where the architecture itself would choose the factored form."""
    model: Any = models[0]
    layer = model.layers[0]
    hidden, width = layer.expand.weight.shape
    epsilon = model.norm.eps if isinstance(model.norm, nn.LayerNorm) else None
    units = layer.units if len(layer.units) > 1 else None
    design = Design(width, hidden, layer.heads, len(model.layers), epsilon, units)
    return PrefixTransformer(design, made.task.judgement, train, evaluation)


PROGRAMS: dict[str, Make] = {
    "one by one": partial(modules, stacked=False),
    "stacked": partial(modules, stacked=True),
    "factored": factored,
    "prefix": prefix,
}


def cohort_with(
    program: str, runs: Sequence[Run], plugins: Plugins, *, compiled: bool = False
) -> CohortTraining:
    """A cohort that trains with the named program, whichever the trainer would choose itself."""
    cohort = CohortTraining(runs, plugins, torch.device("cpu"))
    made = Setup.of(runs[0], plugins)
    models = [build_model(run, made.architecture, made.task) for run in runs]
    examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
    train = training_batch(examples, cohort.parameters)
    evaluation = evaluation_batch(examples, cohort.parameters)
    cohort.program = PROGRAMS[program](models, made, train, evaluation)
    if compiled:
        cohort.compile()
        assert cohort.program.compiled, f"{program} was not compiled"
    return cohort
