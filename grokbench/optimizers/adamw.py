"""AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from grokbench.definition import Options
from grokbench.optimizers.base import Optimizer

Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamWOptions(Options):
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    """Decay rates of the first and second moments. The literature on grokking uses 0.98 for the
    second (Power et al. 2022, arXiv:2201.02177; Nanda et al. 2023, arXiv:2301.05217)."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-8


class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Algorithm 2 of Loshchilov & Hutter 2019, in the form of `torch.optim.AdamW` (weight decay is
    multiplied by the learning rate), with a learning rate and a weight decay for each run.
    """

    name = "adamw"
    Options = AdamWOptions

    def start(self, parameters: Tensor) -> None:
        self.betas = parameters.new_tensor(self.options.betas, dtype=torch.float64)
        self.first = torch.zeros_like(parameters)
        self.second = torch.zeros_like(parameters)
        self._scale = torch.empty_like(parameters)

    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        beta1, beta2 = self.options.betas
        # 1 − βᵗ corrects the bias of the moments (Kingma & Ba 2015, arXiv:1412.6980, § 3). A
        # tensor, because a captured step must not contain the number t.
        correction1, correction2 = (1 - self.betas**count).unbind()
        # θ ← θ − η λ θ
        torch.mul(parameters, weight_decay, out=self._scale)
        parameters.addcmul_(self._scale, learning_rate, value=-1)
        # m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
        self.first.lerp_(gradients, 1 - beta1)
        self.second.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
        # θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
        torch.sqrt(self.second, out=self._scale)
        self._scale.mul_(correction2.rsqrt()).add_(self.options.epsilon)
        torch.div(self.first, self._scale, out=self._scale)
        self._scale.mul_(correction1.reciprocal())
        parameters.addcmul_(self._scale, learning_rate, value=-1)
