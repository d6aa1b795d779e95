"""The program for any `nn.Module`: modules stacked by `torch.func`, or one after the other.

Stacking puts `vmap` around the forward pass alone and differentiates the stack with ordinary
autograd, as the design of `torch.func.stack_module_state` intends (pytorch/pytorch pull request
92274). The gradient at the outputs comes from the task's judgement, so that autograd never
differentiates the loss.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from grokbench.architectures.base import Batch, Program, Views
from grokbench.randomness import Streams
from grokbench.tasks.judging import Judgement
from grokbench.training.random_state import begin_at, torchs_generators
from grokbench.training.stack import Stack


class ModuleProgram(Program):
    """Gradients and outputs of plain modules, by autograd.

    A module that draws random numbers in training draws from a stream of the run's own when modules
    are computed one after the other; `vmap` refuses such a module. A module that draws from numpy
    or Python is refused (`PluginError`).

    Args:
        models: one for each run. Their parameters are not used, their buffers are.
        takes_part: whether `forward` is also given each example's part.
        stacked: whether all runs are computed at once under `vmap`.
        noise: the seed of each run's random stream.
        why_one_by_one: why modules are not stacked, where they might be.
    """

    autocasts = True

    def __init__(
        self,
        models: Sequence[nn.Module],
        takes_part: bool,
        judgement: Judgement,
        train: Batch,
        evaluation: Batch,
        *,
        stacked: bool,
        noise: Sequence[int],
        why_one_by_one: str = "",
    ) -> None:
        device = train.weights.device
        # Copies on the device, not on "meta": moving there would break ties between parameters.
        self.models = [
            copy.deepcopy(model).to(device) for model in models[: 1 if stacked else None]
        ]
        self.takes_part, self.judgement, self.stacked = takes_part, judgement, stacked
        self.capturable, self.why_one_by_one = stacked, why_one_by_one
        self.train, self.evaluation = train, evaluation
        states = [dict(model.named_buffers()) for model in models]
        self.buffers = {
            name: torch.stack([state[name] for state in states]).to(device) for name in states[0]
        }
        self.noise = [torch.Generator().manual_seed(seed).get_state() for seed in noise]

    @classmethod
    def of(cls, stack: Stack, *, stacked: bool, why_one_by_one: str = "") -> Self:
        """The program of a stack, whose runs draw random numbers from their own streams."""
        return cls(
            stack.models,
            stack.setup.architecture.takes_part,
            stack.setup.task.judgement,
            stack.train,
            stack.evaluation,
            stacked=stacked,
            noise=[Streams(run.seed).key("noise") for run in stack.runs],
            why_one_by_one=why_one_by_one,
        )

    @property
    def compilable(self) -> bool:
        """On a CPU alone.

        Torch's compiler turns the gradient of an embedding into atomic additions on a GPU, whose
        order changes from one time to the next.
        """
        return self.stacked and self.train.weights.device.type == "cpu"

    def compile(self) -> None:
        # The forward pass alone: `torch.autograd.grad` would break the graph of `gradient`.
        self._forward = torch.compile(self._forward, dynamic=False)  # type: ignore[method-assign]
        self.compiled = True

    def plain(self) -> None:
        self.__dict__.pop("_forward", None)
        self.compiled = False

    def state(self) -> dict[str, Any]:
        return {"buffers": self.buffers, "noise": torch.stack(self.noise)}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, buffer in self.buffers.items():
            buffer.copy_(state["buffers"][name])
        # Copies: torch reads the memory of a generator's state from its beginning.
        self.noise = [noise.clone() for noise in state["noise"]]

    def gradient(self, parameters: Views, gradients: Views) -> None:
        self._mode(training=True)
        leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        outputs = self._forward(leaves, self.train)
        with torch.no_grad():
            # In the parameters' own precision: under autocast, outputs may be bfloat16.
            slope = self.judgement.gradient(
                outputs.detach().to(self.train.weights), self.train.labels, self.train.weights
            ).to(outputs)
        found = torch.autograd.grad(
            outputs, list(leaves.values()), slope, allow_unused=True, materialize_grads=True
        )
        for gradient, value in zip(gradients.values(), found, strict=True):
            gradient.copy_(value)

    def outputs(self, parameters: Views) -> Tensor:
        self._mode(training=False)
        with torch.no_grad():
            return self._forward(parameters, self.evaluation).to(self.evaluation.weights)

    def _forward(self, parameters: Views, batch: Batch) -> Tensor:
        """The outputs of every run: [runs, examples, outputs]."""
        arguments = (batch.inputs, batch.part) if self.takes_part else (batch.inputs,)
        if self.stacked:
            forward = vmap(partial(call, self.models[0]))
            return forward(dict(parameters), self.buffers, *arguments)
        module = type(self.models[0]).__name__
        with torchs_generators(batch.weights.device, f"forward() of {module}"):
            alone = [
                self._one(run, parameters, tuple(one[run] for one in arguments), weights > 0)
                for run, weights in enumerate(batch.weights)
            ]
        return torch.stack(alone)

    def _mode(self, *, training: bool) -> None:
        for model in self.models:
            model.train(training)

    def _one(
        self, run: int, parameters: Views, arguments: tuple[Tensor, ...], real: Tensor
    ) -> Tensor:
        """One run's outputs, zero for padding: [examples, outputs].

        The module is never shown the padding: a batch norm would mix it with the examples.
        """
        own = {name: value[run] for name, value in parameters.items()}
        buffers = {name: value[run] for name, value in self.buffers.items()}
        begin_at(self.noise[run], real.device)
        shown = call(self.models[run], own, buffers, *(argument[real] for argument in arguments))
        self.noise[run] = torch.get_rng_state()
        padding = shown.new_zeros(len(real) - len(shown), *shown.shape[1:])
        return torch.cat([shown, padding])


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
