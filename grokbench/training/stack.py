"""A stack: runs of one shape, with their parameters in one tensor and their examples padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture, Batch, Views, views
from grokbench.errors import PluginError
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Examples, Task
from grokbench.tasks.checks import check_examples
from grokbench.training.precision import storage
from grokbench.training.random_state import torchs_generators
from grokbench.training.setup import Setup


@dataclass(frozen=True, eq=False)
class Stack:
    """Runs of one shape before their first step.

    Attributes:
        runs: in the order of all rows below.
        setup: the task, architecture, optimizer and measures of every run.
        models: a module for each run with the run's initial weights, on the CPU.
        examples: each run's examples, on the CPU.
        parameters: the initial weights of all runs, on the device that trains.
        train: the training examples, on the device that trains.
        evaluation: all examples, on the device that trains.
    """

    runs: Sequence[Run]
    setup: Setup
    models: Sequence[nn.Module]
    examples: Sequence[Examples]
    parameters: Parameters
    train: Batch
    evaluation: Batch

    @classmethod
    def of(cls, runs: Sequence[Run], plugins: Plugins, device: torch.device) -> Stack:
        """Make the modules and examples of `runs`.

        Raises:
            ValueError: a task's examples break its contract.
            PluginError: a module cannot be trained, or draws from numpy's or Python's generator.
            Exception: whatever else a plugin raises.
        """
        setup = Setup.of(runs[0], plugins)
        models = [build_model(run, setup.architecture, setup.task) for run in runs]
        examples = [setup.task.examples(run.data_size, Streams(run.seed)) for run in runs]
        for run, one in zip(runs, examples, strict=True):
            check_examples(one, setup.task, run.data_size)
        parameters = Parameters.of(models, device)
        train = training_batch(examples, parameters.flat)
        evaluation = evaluation_batch(examples, parameters.flat)
        return cls(runs, setup, models, examples, parameters, train, evaluation)


def build_model(run: Run, architecture: Architecture, task: Task) -> nn.Module:
    """The run's module, its initial weights drawn from the run's own seed, times `initial_scale`.

    Raises:
        PluginError: the architecture draws from numpy's or Python's global generator, or the module
            has parameters that are not real floating-point numbers.
    """
    with torchs_generators(torch.device("cpu"), f"build() of {architecture.name}"):
        torch.manual_seed(Streams(run.seed).key("weights"))
        model = architecture.build(run.size, task)
    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point():
            raise PluginError(
                f"{architecture.name}: the parameter {name} is {parameter.dtype}; only real "
                "parameters are trained; write real and imaginary parts as two parameters"
            )
    model.to(storage(run.recipe.precision))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(run.recipe.initial_scale)
    return model


@dataclass(frozen=True, eq=False)
class Parameters:
    """All parameters of a stack in one tensor, with views into it by name.

    One flat tensor makes an optimizer's step a few operations for all runs and all parameters.

    Attributes:
        flat: [runs, parameters].
        shapes: the shape of each parameter of one run, in the order of the columns.
        frozen: the names of parameters that the module does not want trained.
    """

    flat: Tensor
    shapes: dict[str, torch.Size]
    frozen: frozenset[str]

    @classmethod
    def of(cls, models: Sequence[nn.Module], device: torch.device) -> Parameters:
        rows = [nn.utils.parameters_to_vector(model.parameters()).detach() for model in models]
        shapes = {name: value.shape for name, value in models[0].named_parameters()}
        frozen = {name for name, value in models[0].named_parameters() if not value.requires_grad}
        return cls(torch.stack(rows).to(device), shapes, frozenset(frozen))

    def views(self, flat: Tensor) -> Views:
        """`flat` [runs, parameters] as {name: [runs, *shape]}, sharing its memory."""
        return views(flat, self.shapes)

    def decayed(self, decay_on: str) -> Tensor:
        """1 for each parameter that weight decay acts on, 0 for the others: [parameters].

        Args:
            decay_on: `all`, or `matrices` for parameters of two dimensions or more.
        """
        return self._where(
            lambda name, shape: name not in self.frozen and (decay_on == "all" or len(shape) > 1)
        )

    def trained(self) -> Tensor | None:
        """1 for each trained parameter, 0 for frozen ones: [parameters]; None if none is frozen."""
        if not self.frozen:
            return None
        return self._where(lambda name, shape: name not in self.frozen)

    def _where(self, holds: Callable[[str, torch.Size], bool]) -> Tensor:
        return torch.cat(
            [
                torch.full((shape.numel(),), float(holds(name, shape)))
                for name, shape in self.shapes.items()
            ]
        ).to(self.flat)


def training_batch(examples: Sequence[Examples], like: Tensor) -> Batch:
    """The training examples of every run, padded to the largest number of them.

    Every example of a run has the weight 1 / number of the run's examples, and padding has the
    weight zero, so that the weighted sum of losses is each run's mean loss.

    Args:
        like: a tensor of the type and on the device of the parameters.
    """
    counts = [int(one.train.sum()) for one in examples]
    longest = max(counts)
    rows = [_padded(torch.nonzero(one.train).squeeze(1), longest) for one in examples]
    weights = torch.stack([(torch.arange(longest) < count).double() / count for count in counts])
    return _batch(examples, rows, weights, like)


def evaluation_batch(examples: Sequence[Examples], like: Tensor) -> Batch:
    """Every example of every run, padded to the largest number; the weight of padding is zero."""
    counts = [len(one.train) for one in examples]
    longest = max(counts)
    rows = [_padded(torch.arange(count), longest) for count in counts]
    weights = torch.stack([torch.arange(longest) < count for count in counts]).double()
    return _batch(examples, rows, weights, like)


def _padded(rows: Tensor, length: int) -> Tensor:
    # Padding repeats the first example, because every program can compute that one.
    return torch.cat([rows, rows[:1].expand(length - len(rows))])


def _batch(
    examples: Sequence[Examples], rows: Sequence[Tensor], weights: Tensor, like: Tensor
) -> Batch:
    def pick(name: str) -> Tensor:
        stacked = torch.stack(
            [getattr(one, name)[row] for one, row in zip(examples, rows, strict=True)]
        )
        return stacked.to(like) if stacked.is_floating_point() else stacked.to(like.device)

    return Batch(pick("inputs"), pick("labels"), pick("part"), weights.to(like))
