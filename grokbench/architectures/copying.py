"""Copies of modules, also of those that `copy.deepcopy` refuses."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of a module.

    Torch copies no tensor that autograd has computed. Modules keep such tensors in attributes:
    `torch.nn.utils.weight_norm` and `torch.nn.utils.prune` compute `weight` before each forward
    pass. The copy has the value of the tensor.
    """
    computed = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(model, dict(computed))


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """A module's parameters and buffers by name, also those that `state_dict` leaves out."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@torch.no_grad()
def take_over(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Write values into those of a module's parameters and buffers that they name.

    Tensors are changed in place, because other objects may share their memory. A buffer that has
    another shape or type now is replaced.
    """
    for name, own in tensors_of(model).items():
        value = values.get(name)
        if value is None:
            continue  # a program of its own knows no buffers
        if own.shape == value.shape and own.dtype == value.dtype:
            # An expanded tensor cannot be written into, and seldom has to be.
            if not torch.equal(own, value.to(own.device)):
                own.copy_(value)
        else:
            owner, _, key = name.rpartition(".")
            setattr(model.get_submodule(owner), key, value.detach().clone().to(own.device))
