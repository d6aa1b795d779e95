"""The convolutional network."""

from __future__ import annotations

from typing import Literal

from torch import nn

from grokbench.architectures.base import Architecture
from grokbench.architectures.perceptron import ACTIVATIONS, Activation
from grokbench.definition import Options
from grokbench.record import ModelSize
from grokbench.tasks.base import Images, Task


class ConvolutionalOptions(Options):
    kernel_size: Literal[3, 5, 7] = 3
    """The side of each square kernel. Images are padded with zeros and keep their size."""
    activation: Activation = "relu"
    pooling: Literal["max", "average"] = "max"
    """After each layer, one pixel replaces each square of 2×2 pixels."""
    bias: bool = True


class CNN(Architecture):
    """Convolutional network: the size "2x16" has two convolutions of 16 channels.

    Each convolution is followed by the activation and by pooling, which halves height and width as long
    as they are two pixels or more. A linear layer reads the last image. Nothing is normalized. Initial
    weights are PyTorch's.
    """

    name = "cnn"
    Options = ConvolutionalOptions

    def refuses(self, task: Task, size: ModelSize) -> str | None:
        if isinstance(task.inputs, Images):
            return None
        return (
            f"it reads images and {task.name} gives {task.inputs}; "
            "write another architecture, such as 'mlp'"
        )

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Images)
        options: ConvolutionalOptions = self.options
        pool = nn.MaxPool2d if options.pooling == "max" else nn.AvgPool2d
        channels, height, width = task.inputs.shape
        modules: list[nn.Module] = []
        for _ in range(size.layers):
            convolution = nn.Conv2d(
                channels,
                size.hidden_size,
                options.kernel_size,
                padding=options.kernel_size // 2,
                bias=options.bias,
            )
            halved = min(2, height), min(2, width)
            modules += [convolution, ACTIVATIONS[options.activation](), pool(halved)]
            channels = size.hidden_size
            height, width = height // halved[0], width // halved[1]
        last = nn.Linear(channels * height * width, task.judgement.outputs, bias=options.bias)
        return nn.Sequential(*modules, nn.Flatten(), last)
