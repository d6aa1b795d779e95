"""A stack: the parameters of several runs side by side, and their examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture, Batch, Views
from grokbench.errors import PluginError
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Examples, Task
from grokbench.training.precision import storage
from grokbench.training.random_state import torchs_generators


def build_model(run: Run, architecture: Architecture, task: Task) -> nn.Module:
    """The run's module with its own initial weights, whatever else was drawn before.

    Raises:
        PluginError: it draws from a generator that is not torch's, or has parameters that are no
            real numbers.
    """
    with torchs_generators(torch.device("cpu"), f"build() of {architecture.name}"):
        torch.manual_seed(Streams(run.seed).key("weights"))
        model = architecture.build(run.size, task)
    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point():
            raise PluginError(
                f"{architecture.name}: the parameter {name} is {parameter.dtype}; only real "
                "parameters are trained, so write real and imaginary parts as two"
            )
    model.to(storage(run.recipe.precision))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(run.recipe.initial_scale)
    return model


@dataclass(frozen=True, eq=False)
class Parameters:
    """All parameters of a stack in one tensor, `flat` [runs, parameters], with views by name."""

    flat: Tensor
    shapes: dict[str, torch.Size]
    frozen: frozenset[str]
    """Names of parameters that the module does not want trained."""

    @classmethod
    def of(cls, models: Sequence[nn.Module], device: torch.device) -> Parameters:
        rows = [nn.utils.parameters_to_vector(model.parameters()).detach() for model in models]
        shapes = {name: value.shape for name, value in models[0].named_parameters()}
        frozen = {name for name, value in models[0].named_parameters() if not value.requires_grad}
        return cls(torch.stack(rows).to(device), shapes, frozenset(frozen))

    def views(self, flat: Tensor) -> Views:
        """`flat` [runs, parameters] as {name: [runs, *shape]}, sharing its memory."""
        pieces = torch.split(flat, [shape.numel() for shape in self.shapes.values()], dim=1)
        return {
            name: piece.view(len(flat), *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def decayed(self, decay_on: str) -> Tensor:
        """Which parameters a recipe's weight decay acts on: ones and zeros [parameters]."""
        return self._where(
            lambda name, shape: name not in self.frozen and (decay_on == "all" or len(shape) > 1)
        )

    def trained(self) -> Tensor | None:
        """Which parameters are trained: ones and zeros [parameters]; None for all of them."""
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
    """The training examples of every run, padded to the longest with weight zero."""
    counts = [int(one.train.sum()) for one in examples]
    longest = max(counts)
    rows = [_padded(torch.nonzero(one.train).squeeze(1), longest) for one in examples]
    weights = torch.stack([(torch.arange(longest) < count).double() / count for count in counts])
    return _batch(examples, rows, weights, like)


def evaluation_batch(examples: Sequence[Examples], like: Tensor) -> Batch:
    """Every example of every run, padded to the longest; weights are one, and zero for padding."""
    counts = [len(one.train) for one in examples]
    longest = max(counts)
    rows = [_padded(torch.arange(count), longest) for count in counts]
    weights = torch.stack([torch.arange(longest) < count for count in counts]).double()
    return _batch(examples, rows, weights, like)


def _padded(rows: Tensor, length: int) -> Tensor:
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
