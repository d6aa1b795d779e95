"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from grokbench.definition import Options
from grokbench.optimizers.base import Optimizer


class SGDOptions(Options):
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class SGD(Optimizer):
    """Gradient descent with momentum; weight decay is added to the gradient (L2 regularization).

    The algorithm of `torch.optim.SGD` without dampening, with a learning rate and a weight decay
    for each run.
    """

    name = "sgd"
    Options = SGDOptions

    def start(self, parameters: Tensor) -> None:
        self.velocity = torch.zeros_like(parameters)

    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        # g ← g + λ θ
        gradients.addcmul_(parameters, weight_decay)
        if self.options.momentum:
            # v ← μ v + g. The step follows v; with Nesterov's momentum it follows g + μ v.
            self.velocity.mul_(self.options.momentum).add_(gradients)
            if self.options.nesterov:
                gradients.add_(self.velocity, alpha=self.options.momentum)
            else:
                gradients = self.velocity
        parameters.addcmul_(gradients, learning_rate, value=-1)
