"""AdamW with a filter that amplifies the slow part of the gradient."""

from typing import Annotated

import torch
from grokbench.optimizers.adamw import AdamW, AdamWOptions, Beta
from pydantic import Field
from torch import Tensor


class GrokfastOptions(AdamWOptions):
    momentum: Beta = 0.98
    """The decay of the gradient's moving average (α in the paper)."""
    amplification: Annotated[float, Field(ge=0)] = 2.0
    """The factor with which the average is added to the gradient (λ in the paper); 0 gives AdamW."""


class Grokfast(AdamW):
    """AdamW, applied to the gradient plus a multiple of the gradient's moving average.

    The filter is Grokfast-EMA, algorithm 2 of Lee et al. 2024 (arXiv:2405.20233). It amplifies the
    slowly varying part of the gradient; according to the paper, this part leads to generalization.
    The moving average starts at the first gradient.
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
        # At the first step the weight is 1, without reading `count`: a captured step may be replayed.
        first = (count <= 1).to(self.average)
        self.average.lerp_(gradients, first.clamp(min=1 - self.options.momentum))
        gradients.add_(self.average, alpha=self.options.amplification)
        super().step(parameters, gradients, learning_rate, weight_decay, count)
