"""A stack: runs of one shape, with their parameters in one tensor and their examples padded."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Batch, Views, views
from grokbench.architectures.copying import take_over, tensors_of
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Examples
from grokbench.tasks.checks import check_examples
from grokbench.training.models import build_model
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

    def rebuilt(self) -> list[nn.Module]:
        """New modules in the state of `models`.

        A copy would not do: torch's copies of parameters have no hooks, and a function that a module
        keeps would go on to use the module that was copied.
        """
        setup = self.setup
        fresh = [build_model(run, setup.architecture, setup.task) for run in self.runs]
        for module, model in zip(fresh, self.models, strict=True):
            take_over(module, tensors_of(model))
        return fresh


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters that an optimizer changes in one tensor, and the others beside it.

    One flat tensor makes an optimizer's step a few operations for all runs and all parameters. An
    optimizer sees no other parameter, so that it can neither decay nor move one. The other
    parameters are frozen (`requires_grad=False`), or no gradient reaches them: torch's optimizers
    skip both.

    Attributes:
        flat: [runs, parameters].
        shapes: the shape of each parameter of one run, in the order of the columns.
        frozen: the parameters that want no gradient, of any type: {name: [runs, *shape]}.
        unreached: the parameters that want a gradient and get none: {name: [runs, *shape]}.
        names: of all parameters, in the module's order.
    """

    flat: Tensor
    shapes: dict[str, torch.Size]
    frozen: Views
    unreached: Views
    names: tuple[str, ...]

    @classmethod
    def of(cls, models: Sequence[nn.Module], device: torch.device) -> Parameters:
        named = [dict(model.named_parameters()) for model in models]
        shapes = {name: one.shape for name, one in named[0].items() if one.requires_grad}
        rows = [torch.cat([one[name].detach().reshape(-1) for name in shapes]) for one in named]
        frozen = {
            name: torch.stack([one[name].detach() for one in named]).to(device)
            for name in named[0]
            if name not in shapes
        }
        return cls(torch.stack(rows).to(device), shapes, frozen, {}, tuple(named[0]))

    def without(self, unreached: Set[str]) -> Parameters:
        """The same, where no gradient reaches the parameters of these names."""
        if not unreached:
            return self
        every = self.views(self.flat)
        trained = [name for name in self.shapes if name not in unreached]
        return Parameters(
            torch.cat([every[name].flatten(1) for name in trained], 1),
            {name: self.shapes[name] for name in trained},
            self.frozen,
            {name: every[name].clone() for name in self.shapes if name in unreached},
            self.names,
        )

    @property
    def beside(self) -> Views:
        """All parameters that are not in `flat`."""
        return {**self.frozen, **self.unreached}

    @property
    def count(self) -> int:
        """The number of all parameters of one run, trained or not."""
        return self.flat.shape[1] + sum(one[0].numel() for one in self.beside.values())

    def views(self, flat: Tensor) -> Views:
        """`flat` [runs, parameters] as {name: [runs, *shape]}, sharing its memory."""
        return views(flat, self.shapes)

    def by_name(self, flat: Tensor) -> Views:
        """All parameters in the module's order: views into `flat`, and the parameters beside it."""
        every = {**self.views(flat), **self.beside}
        return {name: every[name] for name in self.names}

    def decayed(self, decay_on: str) -> Tensor:
        """1 for each column that weight decay acts on, 0 for the others: [parameters].

        Args:
            decay_on: `all`, or `matrices` for parameters of two dimensions or more.
        """
        return torch.cat(
            [
                torch.full((shape.numel(),), float(decay_on == "all" or len(shape) > 1))
                for shape in self.shapes.values()
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
        # Into one tensor, without a copy for each run: images may need more memory than all else.
        first: Tensor = getattr(examples[0], name)
        stacked = first.new_empty(len(examples), len(rows[0]), *first.shape[1:])
        for run, (one, row) in enumerate(zip(examples, rows, strict=True)):
            torch.index_select(getattr(one, name), 0, row, out=stacked[run])
        return stacked.to(like) if stacked.is_floating_point() else stacked.to(like.device)

    return Batch(pick("inputs"), pick("labels"), pick("part"), weights.to(like))
