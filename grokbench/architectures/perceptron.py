"""The multilayer perceptron."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from grokbench.architectures.base import Architecture
from grokbench.definition import Options
from grokbench.record import ModelSize
from grokbench.tasks.base import Task, Tokens

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
}

Activation = Literal["relu", "tanh", "gelu", "leaky_relu"]


class PerceptronOptions(Options):
    activation: Activation = "relu"
    bias: bool = True


class Perceptron(nn.Module):
    """Layers of units over inputs [examples, …], which are flattened.

    Args:
        widths: the number of inputs, the number of units of each hidden layer, and of outputs.
        vocabulary: of tokens, which become one-hot vectors; None if inputs are floating point.
    """

    def __init__(
        self, widths: list[int], vocabulary: int | None, options: PerceptronOptions
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        pairs = pairwise(widths)
        self.layers = nn.ModuleList(nn.Linear(*pair, bias=options.bias) for pair in pairs)
        self.activation = ACTIVATIONS[options.activation]()

    def forward(self, inputs: Tensor) -> Tensor:
        *hidden, last = self.layers
        if self.vocabulary is not None:
            inputs = functional.one_hot(inputs, self.vocabulary).to(last.weight.dtype)  # type: ignore[arg-type]
        stream = inputs.flatten(1)
        for layer in hidden:
            stream = self.activation(layer(stream))
        outputs: Tensor = last(stream)
        return outputs


class MLP(Architecture):
    """Multilayer perceptron: the size "2x200" has two hidden layers of 200 units.

    Omnigrok (Liu et al. 2022, arXiv:2210.01117) trains it on images and on a teacher's outputs. Images
    are flattened. Tokens become one-hot vectors side by side, as in Prieto et al. 2025
    (arXiv:2501.04697). Initial weights are PyTorch's.
    """

    name = "mlp"
    Options = PerceptronOptions

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        vocabulary = task.inputs.vocabulary if isinstance(task.inputs, Tokens) else None
        incoming = math.prod(task.inputs.shape) * (vocabulary or 1)
        hidden = [size.hidden_size] * size.layers
        widths = [incoming, *hidden, task.judgement.outputs]
        return Perceptron(widths, vocabulary, self.options)
