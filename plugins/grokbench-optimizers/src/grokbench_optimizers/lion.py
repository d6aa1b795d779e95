"""Lion (Chen et al. 2023, arXiv:2302.06675)."""

import torch
from grokbench import Optimizer, Options
from grokbench.optimizers.adamw import Beta
from torch import Tensor


class LionOptions(Options):
    betas: tuple[Beta, Beta] = (0.9, 0.99)
    """β1 weighs the momentum in the step, β2 the old momentum in the new momentum."""


class Lion(Optimizer):
    """Steps along the sign of a momentum, with decoupled weight decay.

    Algorithm 2 of Chen et al. 2023 (arXiv:2302.06675), with the defaults of the paper. Every
    parameter moves by the learning rate at every step, whatever its gradient. The paper therefore
    advises a learning rate that is 3 to 10 times smaller than AdamW's, and a weight decay that is
    as many times larger.
    """

    name = "lion"
    Options = LionOptions

    def start(self, parameters: Tensor) -> None:
        self.momentum = torch.zeros_like(parameters)

    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        beta1, beta2 = self.options.betas
        # θ ← θ − η (sign(β1 m + (1 − β1) g) + λ θ)
        direction = torch.lerp(gradients, self.momentum, beta1).sign_()
        direction.addcmul_(parameters, weight_decay)
        parameters.addcmul_(direction, learning_rate, value=-1)
        # m ← β2 m + (1 − β2) g
        self.momentum.lerp_(gradients, 1 - beta2)
