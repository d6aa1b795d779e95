"""Architectures: one `nn.Module` for one model size."""

from grokbench.architectures.base import Architecture, Batch, Program, Views
from grokbench.architectures.convolutional import CNN
from grokbench.architectures.perceptron import MLP
from grokbench.architectures.transformer import Dense, SplitFFN

BUILT_IN: tuple[type[Architecture], ...] = (Dense, SplitFFN, MLP, CNN)

__all__ = [
    "BUILT_IN",
    "CNN",
    "MLP",
    "Architecture",
    "Batch",
    "Dense",
    "Program",
    "SplitFFN",
    "Views",
]
