"""AdamW behind a filter that amplifies the slow part of the gradient."""

from typing import Annotated

import torch
from grokbench.optimizers.adamw import AdamW, AdamWOptions, Beta
from pydantic import Field
from torch import Tensor


class GrokfastOptions(AdamWOptions):
    momentum: Beta = 0.98
    """Decay of the gradients' moving average (the paper's α)."""
    amplification: Annotated[float, Field(ge=0)] = 2.0
    """How many times the average is added to the gradient (the paper's λ); 0 is AdamW."""


class Grokfast(AdamW):
    """AdamW on gradients to which a multiple of their moving average is added.

    The filter is Grokfast-EMA, algorithm 2 of Lee et al. 2024 (arXiv:2405.20233): the slowly
    varying part of the gradient, which they hold to be what generalizes, is amplified. The average
    starts at the first gradient.
    """

    name = "grokfast"
    Options = GrokfastOptions

    def start(self, parameters: Tensor) -> None:
        super().start(parameters)
        self.average = torch.zeros_like(parameters)

    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        first = (count <= 1).to(self.average)
        self.average.lerp_(gradients, first.clamp(min=1 - self.options.momentum))
        gradients.add_(self.average, alpha=self.options.amplification)
        super().step(parameters, gradients, learning_rate, weight_decay, count)
