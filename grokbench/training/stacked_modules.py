"""The program for modules of one shape that are computed all at once, stacked by `torch.func`.

Stacking puts `vmap` around the forward pass alone and differentiates the stack with ordinary
autograd, as the design of `torch.func.stack_module_state` intends (pytorch/pytorch pull request
92274). The gradient at the outputs comes from the task's judgement, so that autograd never
differentiates the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from grokbench.architectures.base import Batch, Program, Views
from grokbench.errors import PluginError
from grokbench.tasks.judging import Judgement
from grokbench.training.single_modules import not_in_every_step, selected
from grokbench.training.stack import Stack


class StackedModules(Program):
    """Gradients and outputs of plain modules under `vmap`.

    The probe says whether that is right for a module (`training.probe`).

    Args:
        models: one for each run. The first is called with the parameters and buffers of all.
        takes_part: whether `forward` is also given each example's part.
        unreached: the names of the parameters that no gradient reaches.
    """

    autocasts = True
    takes_batches = True

    def __init__(
        self,
        models: Sequence[nn.Module],
        takes_part: bool,
        judgement: Judgement,
        train: Batch,
        evaluation: Batch,
        *,
        unreached: frozenset[str] = frozenset(),
    ) -> None:
        device = train.weights.device
        # On the device, not on "meta": moving there would break ties between parameters.
        self.model = models[0].to(device)
        self.wanted = [n for n, one in self.model.named_parameters() if one.requires_grad]
        self.takes_part, self.judgement, self.unreached = takes_part, judgement, unreached
        self.train, self.evaluation = train, evaluation
        self.batch = train
        states = [dict(model.named_buffers()) for model in models]
        self.buffers = {
            name: torch.stack([state[name].to(device) for state in states]) for name in states[0]
        }

    @classmethod
    def of(cls, stack: Stack, *, unreached: frozenset[str] = frozenset()) -> Self:
        """The program of a stack."""
        return cls(
            stack.rebuilt(),
            stack.setup.architecture.takes_part,
            stack.setup.task.judgement,
            stack.train,
            stack.evaluation,
            unreached=unreached,
        )

    @property
    def compilable(self) -> bool:
        """On a CPU alone.

        Torch's compiler turns the gradient of an embedding into atomic additions on a GPU, whose
        order changes from one time to the next.
        """
        return self.train.weights.device.type == "cpu"

    def compile(self) -> None:
        # The forward pass alone: `torch.autograd.grad` would break the graph of `gradient`.
        self._forward = torch.compile(self._forward, dynamic=False)  # type: ignore[method-assign]
        self.compiled = True

    def plain(self) -> None:
        self.__dict__.pop("_forward", None)
        self.compiled = False

    def state(self) -> dict[str, Any]:
        return {"buffers": self.buffers}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, buffer in self.buffers.items():
            buffer.copy_(state["buffers"][name])

    def select(self, rows: Tensor, weights: Tensor) -> None:
        self.batch = selected(self.train, self.batch, rows, weights)

    def gradient(self, parameters: Views, gradients: Views) -> None:
        self.model.train()
        leaves = {name: parameters[name].detach().requires_grad_() for name in self.wanted}
        outputs = self._forward({**parameters, **leaves}, self.buffers, self.batch)
        with torch.no_grad():
            # In the parameters' own precision: under autocast, outputs may be bfloat16.
            slope = self.judgement.gradient(
                outputs.detach().to(self.batch.weights), self.batch.labels, self.batch.weights
            ).to(outputs)
        grads = torch.autograd.grad(outputs, list(leaves.values()), slope, allow_unused=True)
        found: dict[str, Tensor | None] = dict(zip(leaves, grads, strict=True))
        without = {name for name, value in found.items() if value is None}
        if without != self.unreached:
            raise PluginError(not_in_every_step(without ^ self.unreached))
        for name, gradient in gradients.items():
            value = found.get(name)
            gradient.zero_() if value is None else gradient.copy_(value)

    def outputs(self, parameters: Views) -> Tensor:
        self.model.eval()
        with torch.no_grad():
            # An evaluation changes nothing: what a module does to these copies is dropped.
            buffers = {name: one.clone() for name, one in self.buffers.items()}
            outputs = self._forward(parameters, buffers, self.evaluation)
            return outputs.to(self.evaluation.weights)

    def _forward(self, parameters: Views, buffers: Views, batch: Batch) -> Tensor:
        """The outputs of every run: [runs, examples, outputs]."""
        arguments = (batch.inputs, batch.part) if self.takes_part else (batch.inputs,)
        return vmap(partial(call, self.model))(dict(parameters), dict(buffers), *arguments)


def call(
    model: nn.Module, parameters: Views, buffers: Mapping[str, Tensor], *arguments: Tensor
) -> Tensor:
    """The module's outputs with these parameters and buffers in place of its own.

    What the module does to a buffer is copied into `buffers` afterwards, whether the module changes
    the tensor in place or assigns another one.
    """
    given = {**parameters, **{name: buffer.clone() for name, buffer in buffers.items()}}
    outputs = cast(Tensor, functional_call(model, given, arguments))
    with torch.no_grad():
        for name, buffer in buffers.items():
            buffer.copy_(given[name])
    return outputs
