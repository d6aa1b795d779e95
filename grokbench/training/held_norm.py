"""The norm of a run's trained parameters, held at its initial value by a recipe."""

from __future__ import annotations

import torch
from torch import Tensor

from grokbench.errors import PluginError


class HeldNorm:
    """Rescales each run's trained parameters to the norm that they had before the first step.

    The constrained optimization of Omnigrok (Liu et al. 2022, arXiv:2210.01117): after every step
    all trained parameters of a run are multiplied by one number. The optimizer's own state, such as
    the moments of Adam, is left alone.

    Args:
        parameters: the initial parameters, [runs, parameters].

    Raises:
        PluginError: a run's parameters are all zero, so that no factor gives them a norm.
    """

    def __init__(self, parameters: Tensor) -> None:
        self.initial = joint_norm(parameters)
        if bool((self.initial == 0).any()):
            raise PluginError(
                'all initial parameters are zero, and norm = "initial" would keep them so; let '
                'build() give other initial values, or write norm = "free" in the recipe'
            )

    def hold(self, parameters: Tensor) -> None:
        """Rescale the parameters in place; the device is not waited for."""
        parameters.mul_((self.initial / joint_norm(parameters)).to(parameters))


def joint_norm(parameters: Tensor) -> Tensor:
    """The L2 norm of all parameters of each run: [runs, 1] float64."""
    # In float64: a sum of millions of squares would lose digits in float32.
    norm: Tensor = torch.linalg.vector_norm(parameters, dim=1, keepdim=True, dtype=torch.float64)
    return norm
