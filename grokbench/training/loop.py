"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Batch, Program
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Record, Run, failed
from grokbench.tasks.checks import check_examples
from grokbench.training.definitions import Definitions
from grokbench.training.meter import Meter
from grokbench.training.process import keep_freed_memory, one_thread
from grokbench.training.programs import ModuleProgram, first_line, why_not_stacked
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch

Advance = Callable[[int, float], None]
"""Told the step and the stack's mean validation accuracy at every evaluation."""


@dataclass(frozen=True, eq=False)
class Descent:
    """A stack after its last step: `parameters` [runs, parameters], and what was measured."""

    parameters: Tensor
    meter: Meter


def descend(
    runs: Sequence[Run],
    plugins: Plugins,
    device: torch.device,
    advance: Advance = lambda step, accuracy: None,
) -> Descent:
    """Train runs that differ in data size, seed, learning rate, weight decay and initial scale only.

    Full batch, for the recipe's number of steps; every run has its own examples, weights and
    optimizer state, and is what it would be alone.
    """
    recipe, made = runs[0].recipe, Definitions.of(runs[0], plugins)
    models = [build_model(run, made.architecture, made.task) for run in runs]
    examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
    for run, one in zip(runs, examples, strict=True):
        check_examples(one, made.task, run.data_size)
    stack = Parameters.of(models, device)
    train, evaluation = training_batch(examples, stack.flat), evaluation_batch(examples, stack.flat)
    program = choose_program(runs, models, made, train, evaluation)
    meter = Meter(made.task, examples, evaluation)

    parameters, gradients = stack.flat, torch.empty_like(stack.flat)
    by_name, gradients_by_name = stack.views(parameters), stack.views(gradients)
    learning_rate = parameters.new_tensor([[run.recipe.learning_rate] for run in runs])
    decay = parameters.new_tensor([[run.recipe.weight_decay] for run in runs])
    weight_decay = decay * stack.decayed(recipe.decay_on)
    trained = stack.trained()
    evaluations = set(recipe.evaluation_steps())

    made.optimizer.start(parameters)
    for step in range(recipe.steps + 1):
        if step in evaluations:
            meter.measure(step, program.outputs(by_name), parameters)
            advance(step, meter.validation_accuracy)
            if step == recipe.steps or not meter.finite.any():
                break
        program.gradient(by_name, gradients_by_name)
        if trained is not None:
            gradients *= trained
        warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
        made.optimizer.step(parameters, gradients, learning_rate * warm, weight_decay)

    return Descent(parameters, meter)


def train(
    runs: Sequence[Run],
    plugins: Plugins,
    device: str = "cpu",
    advance: Advance = lambda step, accuracy: None,
) -> list[Record]:
    """Train `runs` at once if that can be, and one by one if something is raised.

    A run whose task, architecture or optimizer raises an error is recorded as failed, with the
    error; the others are not touched by it.
    """
    keep_freed_memory()
    with one_thread():
        try:
            end = descend(runs, plugins, torch.device(device), advance)
            return end.meter.records(runs, end.parameters.shape[1])
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything)
            if len(runs) == 1:
                return [failed(runs[0], first_line(error))]
    return [record for run in runs for record in train([run], plugins, device, advance)]


def choose_program(
    runs: Sequence[Run],
    models: Sequence[nn.Module],
    made: Definitions,
    train: Batch,
    evaluation: Batch,
) -> Program:
    """The architecture's own program, or `torch.func`'s, or one run after the other."""
    judgement = made.task.judgement
    own = made.architecture.program(models[0], judgement, train, evaluation)
    if own is not None:
        return own
    stacked = len(models) > 1 and not why_not_stacked(models, made.architecture, judgement, train)
    noise = [Streams(run.seed).key("noise") for run in runs]
    return ModuleProgram(
        models,
        made.architecture.takes_part,
        judgement,
        train,
        evaluation,
        stacked=stacked,
        noise=noise,
    )
