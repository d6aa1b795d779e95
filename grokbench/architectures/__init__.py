"""Architectures: one `nn.Module` for one model size."""

from grokbench.architectures.base import Architecture, Batch, Program, Views
from grokbench.architectures.transformer import Dense, SplitFFN

BUILT_IN: tuple[type[Architecture], ...] = (Dense, SplitFFN)

__all__ = ["BUILT_IN", "Architecture", "Batch", "Dense", "Program", "SplitFFN", "Views"]
