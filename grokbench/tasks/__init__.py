"""Tasks: what models learn."""

from grokbench.tasks.base import Examples, Features, Images, Task, Tokens
from grokbench.tasks.images import ImageClassification, ImageContents, ImageTask
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError
from grokbench.tasks.mixture import Mixture
from grokbench.tasks.modular import (
    BinaryOperation,
    ModularAddition,
    ModularDivision,
    ModularPolynomial,
    ModularSquare,
    ModularSubtraction,
)
from grokbench.tasks.random_labels import RandomLabels
from grokbench.tasks.teacher_student import TeacherStudent

BUILT_IN: tuple[type[Task], ...] = (
    ModularAddition,
    ModularSubtraction,
    ModularDivision,
    ModularSquare,
    ModularPolynomial,
    RandomLabels,
    Mixture,
    ImageClassification,
    TeacherStudent,
)

__all__ = [
    "BUILT_IN",
    "BinaryOperation",
    "CrossEntropy",
    "Examples",
    "Features",
    "ImageClassification",
    "ImageContents",
    "ImageTask",
    "Images",
    "Judgement",
    "Mixture",
    "ModularAddition",
    "ModularDivision",
    "ModularPolynomial",
    "ModularSquare",
    "ModularSubtraction",
    "RandomLabels",
    "SquaredError",
    "Task",
    "TeacherStudent",
    "Tokens",
]
