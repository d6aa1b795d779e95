"""Labels: how the values along an axis of a grid are named, and when two labels are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grokbench.record import Choice, ModelSize


def labels_of(values: Sequence[Any]) -> list[Any]:
    """The label of each value along an axis.

    A model size has its own label (64, or "8x1024"). An optimizer is labelled by its name, or by its
    name and options where two optimizers of the axis share a name. All other values label themselves.
    """
    if all(isinstance(value, Choice) for value in values):
        names = [value.name for value in values]
        return names if len(set(names)) == len(names) else [str(value) for value in values]
    return [value.label if isinstance(value, ModelSize) else value for value in values]


def text_of(label: Any) -> str:
    """The text that two labels share exactly if they are the same.

    An axis stores numbers where all its labels are numbers, and otherwise text. So 1 and 1.0 are the
    same label, and so are 64, "64" and "1x64" (one layer of hidden size 64). Whole numbers are compared
    exactly, other numbers to 12 significant digits.
    """
    if isinstance(label, int) or (isinstance(label, float) and label.is_integer()):
        return str(int(label))
    if isinstance(label, float):
        return format(label, ".12g")
    return str(label).removeprefix("1x")


def same_label(one: Any, other: Any) -> bool:
    """Whether two labels name the same place on an axis."""
    return text_of(one) == text_of(other)
