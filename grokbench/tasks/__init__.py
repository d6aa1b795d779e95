"""Tasks: what models learn."""

from grokbench.tasks.base import Examples, Features, Task, Tokens
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError
from grokbench.tasks.mixture import Mixture
from grokbench.tasks.modular import ModularAddition, ModularSquare
from grokbench.tasks.random_labels import RandomLabels

BUILT_IN: tuple[type[Task], ...] = (ModularAddition, ModularSquare, RandomLabels, Mixture)

__all__ = [
    "BUILT_IN",
    "CrossEntropy",
    "Examples",
    "Features",
    "Judgement",
    "Mixture",
    "ModularAddition",
    "ModularSquare",
    "RandomLabels",
    "SquaredError",
    "Task",
    "Tokens",
]
