"""Optimizers that step a whole stack of runs at once."""

from grokbench.optimizers.adamw import AdamW
from grokbench.optimizers.base import Optimizer
from grokbench.optimizers.sgd import SGD

BUILT_IN: tuple[type[Optimizer], ...] = (AdamW, SGD)

__all__ = ["BUILT_IN", "SGD", "AdamW", "Optimizer"]
