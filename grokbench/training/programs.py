"""Programs for any `nn.Module`: stacked by `torch.func`, or one run after the other.

Stacking puts `vmap` around the forward pass alone and differentiates the stack with ordinary
autograd; the gradient at the outputs comes from the task's judgement, so the loss itself is never
differentiated by autograd.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from grokbench.architectures.base import Architecture, Batch, Program, Views
from grokbench.plugins import describe
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.judging import Judgement
from grokbench.training.random_state import begin_at, torchs_generators
from grokbench.training.setup import Setup

AGREEMENT = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far, relatively, stacked and single gradients may differ for the probe to pass."""


def choose_program(
    runs: Sequence[Run],
    models: Sequence[nn.Module],
    made: Setup,
    train: Batch,
    evaluation: Batch,
) -> Program:
    """The architecture's own program, or `torch.func`'s, or one run after the other."""
    judgement = made.task.judgement
    own = made.architecture.program(models[0], judgement, train, evaluation)
    if own is not None and (own.autocasts or runs[0].recipe.precision != "bfloat16"):
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


class ModuleProgram(Program):
    """Gradients and outputs of plain modules, by autograd.

    Args:
        models: one for each run; their parameters are not used, their buffers are.
        takes_part: whether `forward` is also given each example's part.
        stacked: under `vmap`, or one after the other. A module that draws random numbers in
            training does so from a stream of each run's own, seeded by `noise`, when they go one
            after the other; `vmap` refuses it. What draws from numpy or Python is refused
            (`PluginError`).
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
    ) -> None:
        device = train.weights.device
        # Copies on the device, not on "meta": moving there would break ties between parameters.
        self.models = [
            copy.deepcopy(model).to(device) for model in models[: 1 if stacked else None]
        ]
        self.takes_part, self.judgement, self.stacked = takes_part, judgement, stacked
        self.capturable = stacked
        self.train, self.evaluation = train, evaluation
        states = [dict(model.named_buffers()) for model in models]
        self.buffers = {
            name: torch.stack([state[name] for state in states]).to(device) for name in states[0]
        }
        self.noise = [torch.Generator().manual_seed(seed).get_state() for seed in noise]

    @property
    def compilable(self) -> bool:
        """On a CPU alone: compiled for a GPU, embeddings would add their gradients in any order."""
        return self.stacked and self.train.weights.device.type == "cpu"

    def compile(self) -> None:
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
        """One run's outputs for its own examples; what pads them is never shown to the module."""
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

    What the module does to a buffer is done to `buffers` afterwards, whether it changes the tensor
    or puts another in its place.
    """
    given = {**parameters, **{name: buffer.clone() for name, buffer in buffers.items()}}
    outputs = cast(Tensor, functional_call(model, given, arguments))
    with torch.no_grad():
        for name, buffer in buffers.items():
            buffer.copy_(given[name])
    return outputs


def why_not_stacked(
    models: Sequence[nn.Module], architecture: Architecture, judgement: Judgement, batch: Batch
) -> str:
    """Why modules cannot be trained under `vmap`, found by trying; empty when they can.

    Takes one gradient both ways in float64, on examples in which every token occurs, and compares:
    some operations raise under `vmap`, and some give wrong gradients without a word
    (`nn.Embedding(padding_idx=…)` masks the padding row of the first run only). A module that makes
    float32 numbers of its own (`one_hot(…).float()`) is compared in float32.

    Args:
        models: two or more, with weights of their own.
        batch: the runs' training examples.
    """
    try:
        return why_apart(models, architecture, judgement, batch, torch.float64)
    except Exception:  # noqa: BLE001 (a plugin's module may raise anything, and does so again)
        return why_apart(models, architecture, judgement, batch, torch.float32)


def why_apart(
    models: Sequence[nn.Module],
    architecture: Architecture,
    judgement: Judgement,
    batch: Batch,
    dtype: torch.dtype,
) -> str:
    """How gradients and outputs of stacked modules differ from single ones'; empty where they do not.

    Raises:
        Exception: what a single module raises when it is computed in `dtype`.
    """
    models = [copy.deepcopy(model).to(dtype) for model in models]
    sample = probe_batch(batch, dtype)
    found = []
    for stacked in (False, True):
        program = ModuleProgram(
            models,
            architecture.takes_part,
            judgement,
            sample,
            sample,
            stacked=stacked,
            noise=range(len(models)),
        )
        rows = {
            name: torch.stack([dict(model.named_parameters())[name].detach() for model in models])
            for name, _ in models[0].named_parameters()
        }
        gradients = {name: torch.empty_like(value) for name, value in rows.items()}
        try:
            program.gradient(rows, gradients)
            found.append({**gradients, "outputs": program.outputs(rows)[sample.weights > 0]})
        except Exception as error:  # a plugin's module may raise anything
            if not stacked:
                raise
            return f"torch.func.vmap refuses it: {describe(error)}"
    within = AGREEMENT[dtype]
    largest = max(float(alone.abs().max()) for alone in found[0].values())
    for name, alone in found[0].items():
        if not torch.allclose(found[1][name], alone, rtol=within, atol=within * min(1.0, largest)):
            return f"stacked and single {name} disagree under torch.func.vmap"
    return ""


def probe_batch(batch: Batch, dtype: torch.dtype) -> Batch:
    """A few of the batch's examples, in `dtype`: evenly spread, and one with each token."""
    count = batch.inputs.shape[1]
    rows = set(range(0, count, max(1, count // 64)))
    if not batch.inputs.is_floating_point():
        for column in batch.inputs.flatten(0, 1).T:
            _, where = column.unique(return_inverse=True)
            first = {int(token): row % count for row, token in reversed(list(enumerate(where)))}
            rows |= set(first.values())
    chosen = torch.tensor(sorted(rows))

    def pick(values: Tensor) -> Tensor:
        values = values[:, chosen].cpu()
        return values.to(dtype) if values.is_floating_point() else values

    weights = torch.full((len(batch.inputs), len(chosen)), 1 / len(chosen), dtype=dtype)
    # The first run's last example is padding: a module that mixes examples is found out by it.
    weights[0, -1] = 0
    return Batch(pick(batch.inputs), pick(batch.labels), pick(batch.part), weights)
