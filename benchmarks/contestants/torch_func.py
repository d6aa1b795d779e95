"""The plain loop's model, stacked by `torch.func` as PyTorch's tutorial on model ensembling does it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from benchmarks.setting import BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Start
from benchmarks.timing import synchronize
from grokbench.record import Run


class TorchFunc:
    """`vmap` around `grad`, and `torch.optim.AdamW` over the stacked leaves."""

    def __init__(self, runs: Sequence[Run], device: str = "cpu") -> None:
        start = Start.of(runs)
        self.runs, self.device = len(runs), device
        parameters, buffers = stack_module_state([model.to(device) for model in start.models])
        self.parameters = {name: value.detach() for name, value in parameters.items()}
        self.model, self.buffers = copy.deepcopy(start.models[0]), buffers
        self.inputs, self.labels = start.inputs.to(device), start.labels.to(device)
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY
        )
        self.gradient = vmap(grad(self.loss_of))

    def loss_of(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        inputs: Tensor,
        labels: Tensor,
    ) -> Tensor:
        outputs = functional_call(self.model, (parameters, buffers), (inputs,))
        return functional.cross_entropy(outputs, labels)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            gradients = self.gradient(self.parameters, self.buffers, self.inputs, self.labels)
            for name, value in self.parameters.items():
                value.grad = gradients[name]
            self.optimizer.step()
        synchronize(self.device)

    def loss(self) -> float:
        first = {name: value[0] for name, value in self.parameters.items()}
        buffers = {name: value[0] for name, value in self.buffers.items()}
        with torch.no_grad():
            outputs = functional_call(self.model, (first, buffers), (self.inputs[0],))
        return float(functional.cross_entropy(outputs.double(), self.labels[0]))
