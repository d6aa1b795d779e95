"""Builds a run's module, and refuses what cannot be trained."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from grokbench.architectures.base import Architecture
from grokbench.errors import PluginError
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Task
from grokbench.training.precision import storage
from grokbench.training.random_state import torchs_generators

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
"""The type of complex numbers whose parts have the given type."""


def build_model(run: Run, architecture: Architecture, task: Task) -> nn.Module:
    """The run's module, its initial weights drawn from the run's own seed, times `initial_scale`.

    Frozen parameters (`requires_grad=False`) are not scaled: they may be masks.

    Raises:
        PluginError: the architecture draws from numpy's or Python's global generator, or builds
            something that cannot be trained.
    """
    with torchs_generators(torch.device("cpu"), f"build() of {architecture.name}"):
        torch.manual_seed(Streams(run.seed).key("weights"))
        model = architecture.build(run.size, task)
    reason = why_untrainable(model)
    if reason:
        raise PluginError(f"{architecture.name}: {reason}")
    convert(model, storage(run.recipe.precision))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.mul_(run.recipe.initial_scale)
    return model


def why_untrainable(model: nn.Module) -> str:
    """Why a module cannot be trained, and what to write instead; empty if nothing is wrong."""
    if not isinstance(model, nn.Module):
        return f"build() gives {type(model).__name__}; return a torch.nn.Module"
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if reason := why_empty(tensor):
            return f"{name} {reason}"
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    if not trained:
        return "the module has no parameter that wants a gradient; there is nothing to train"
    for name, parameter in trained.items():
        if reason := why_unsteppable(parameter):
            return f"the parameter {name} is {reason}"
    shared = [pair for pair in combinations(trained, 2) if overlap(*(trained[n] for n in pair))]
    if shared:
        return (
            f"the parameters {' and '.join(shared[0])} share memory; use one parameter in both "
            "places, or write nn.Parameter(x.clone())"
        )
    return ""


def why_empty(tensor: Tensor) -> str:
    """Why a parameter or buffer has no values, and what to write; else empty."""
    if is_lazy(tensor):
        return (
            "has no shape yet, because its layer is lazy; write the layer with its sizes "
            "(nn.Linear(in, out)), or call the module once in build()"
        )
    return "is on torch's meta device and has no values; build it on the CPU" * tensor.is_meta


def why_unsteppable(parameter: Tensor) -> str:
    """What a parameter is that an optimizer cannot step, and what to write; else empty."""
    if not parameter.is_floating_point():
        return (
            f"{parameter.dtype}; only real parameters are trained; write real and imaginary parts "
            "as two parameters"
        )
    if parameter.layout is not torch.strided:
        return "sparse; only dense parameters are trained; write x.to_dense()"
    steps = zip(parameter.stride(), parameter.shape, strict=True)
    if any(step == 0 and size > 1 for step, size in steps):
        return "expanded, so that its entries share memory; write nn.Parameter(x.clone())"
    return ""


def overlap(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors lie in the same piece of memory, at least in part."""
    if not one.numel() or not other.numel():
        return False
    if one.untyped_storage().data_ptr() != other.untyped_storage().data_ptr():
        return False
    (first, first_end), (second, second_end) = span(one), span(other)
    return first < second_end and second < first_end


def span(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor begins and ends in its storage, in entries."""
    steps = zip(tensor.stride(), tensor.shape, strict=True)
    start = tensor.storage_offset()
    return int(start), int(start + 1 + sum(step * (size - 1) for step, size in steps))


def convert(model: nn.Module, dtype: torch.dtype) -> None:
    """Store a module's real numbers as `dtype`, and its complex numbers in the same precision.

    `model.to(dtype)` would drop the imaginary part of a complex buffer.
    """

    def stored(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(COMPLEX[dtype])
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    model._apply(stored)  # type: ignore[no-untyped-call]
