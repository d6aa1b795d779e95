"""Every way in which a run can be trained, by name, so that each can be held against a plain loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from grokbench.architectures.base import Batch, Program
from grokbench.architectures.factored import FactoredTransformer
from grokbench.architectures.prefix import PrefixTransformer
from grokbench.architectures.stacked_layers import Design
from grokbench.optimizers import AdamW
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.training import Setup
from grokbench.training.cohort import CohortTraining
from grokbench.training.programs import ModuleProgram
from grokbench.training.stack import build_model, evaluation_batch, training_batch


class PlainLoop:
    """One run as anyone would train it: its module, autograd, torch's loss and AdamW.

    Attributes:
        taken: steps taken so far.
    """

    def __init__(self, run: Run, plugins: Plugins) -> None:
        made = Setup.of(run, plugins)
        assert isinstance(made.optimizer, AdamW)
        options = made.optimizer.options
        self.recipe, self.taken = run.recipe, 0
        self.model = build_model(run, made.architecture, made.task).train()
        self.examples = made.task.examples(run.data_size, Streams(run.seed))
        given = (self.examples.inputs, self.examples.part)
        self.given = given if made.architecture.takes_part else given[:1]
        self.optimizer = torch.optim.AdamW(
            [value for value in self.model.parameters() if value.requires_grad],
            betas=options.betas,
            eps=options.epsilon,
            weight_decay=run.recipe.weight_decay,
        )

    @property
    def parameters(self) -> Tensor:
        """[parameters]"""
        return self._flat(self.model.parameters())

    @property
    def gradient(self) -> Tensor:
        """Of the last step: [parameters]"""
        return self._flat(value.grad for value in self.model.parameters())

    def moments(self, name: str) -> Tensor:
        """What AdamW remembers, `exp_avg` or `exp_avg_sq`: [parameters], zero before step 1."""
        state = self.optimizer.state
        return self._flat(
            state[value][name] if value in state else torch.zeros_like(value)
            for value in self.model.parameters()
        )

    def outputs(self, which: Tensor) -> Tensor:
        """For the examples in the mask `which`: [examples, outputs]."""
        outputs: Tensor = self.model(*(given[which] for given in self.given))
        return outputs

    def accuracy(self, which: Tensor) -> float:
        with torch.no_grad():
            correct = self.outputs(which).argmax(1) == self.examples.labels[which]
        return float(correct.double().mean())

    def differentiate(self) -> None:
        """Put the gradient where `gradient` finds it."""
        self.model.zero_grad()
        train = self.examples.train
        loss = functional.cross_entropy(self.outputs(train), self.examples.labels[train])
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        warm = min(1.0, (self.taken + 1) / max(1, self.recipe.warmup_steps))
        self.optimizer.param_groups[0]["lr"] = self.recipe.learning_rate * warm
        self.differentiate()
        self.optimizer.step()
        self.taken += 1

    @staticmethod
    def _flat(values: Iterable[Any]) -> Tensor:
        return torch.cat([value.detach().flatten() for value in values])


Make = Callable[[Sequence[nn.Module], Setup, Batch, Batch], Program]
"""Models, definitions, training examples, evaluation examples → a program."""


def one_by_one(
    models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch
) -> Program:
    return of_modules(models, made, train, evaluation, stacked=False)


def stacked(models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch) -> Program:
    return of_modules(models, made, train, evaluation, stacked=True)


def of_modules(
    models: Sequence[nn.Module],
    made: Setup,
    train: Batch,
    evaluation: Batch,
    *,
    stacked: bool,
) -> Program:
    return ModuleProgram(
        models, made.architecture.takes_part, made.task.judgement, train, evaluation,
        stacked=stacked, noise=range(len(models)),
    )  # fmt: skip


def factored(models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch) -> Program:
    program = made.architecture.program(models[0], made.task.judgement, train, evaluation)
    assert isinstance(program, FactoredTransformer), "the factored form is not exact here"
    return program


def prefix(models: Sequence[nn.Module], made: Setup, train: Batch, evaluation: Batch) -> Program:
    """Also where the factored form would be chosen."""
    model: Any = models[0]
    layer = model.layers[0]
    hidden, width = layer.expand.weight.shape
    epsilon = model.norm.eps if isinstance(model.norm, nn.LayerNorm) else None
    units = layer.units if len(layer.units) > 1 else None
    design = Design(width, hidden, layer.heads, len(model.layers), epsilon, units)
    return PrefixTransformer(design, made.task.judgement, train, evaluation)


PROGRAMS: dict[str, Make] = {
    "one by one": one_by_one,
    "stacked": stacked,
    "factored": factored,
    "prefix": prefix,
}


def descent_by(
    program: str, runs: Sequence[Run], plugins: Plugins, *, compiled: bool = False
) -> CohortTraining:
    """Runs on their way down by this program, whichever the trainer would choose for them."""
    descent = CohortTraining(runs, plugins, torch.device("cpu"))
    made = Setup.of(runs[0], plugins)
    models = [build_model(run, made.architecture, made.task) for run in runs]
    examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
    train = training_batch(examples, descent.parameters)
    evaluation = evaluation_batch(examples, descent.parameters)
    descent.program = PROGRAMS[program](models, made, train, evaluation)
    if compiled:
        descent.compile()
        assert descent.program.compiled, f"{program} was not compiled"
    return descent
