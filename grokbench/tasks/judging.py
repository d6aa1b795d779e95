"""The loss of outputs, the gradient of the loss, and which outputs are correct.

The cross entropy keeps its relative precision in float32, however small a loss is. A model that has
learned its examples has losses far below the spacing of float32 numbers near one. The usual
`log_softmax` rounds such losses to zero, and the gradient of the right class too, so that the
gradients of the classes no longer sum to zero. This alone can stop grokking (Prieto et al. 2025,
arXiv:2501.04697) and cause slingshots ("Grokking or Glitching?" 2026, arXiv:2605.06152).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

Way = Literal["argmax", "sign", "tolerance", "mean_square"]
"""When an answer to a question with target values is correct: see `SquaredError`."""

LIMITS = {
    "tolerance": "the largest difference between an output and its label that counts as correct",
    "mean_square": "which the mean squared error of a correct answer does not reach",
}
"""What the tolerance limits, in words, for each way that has one."""


class Judgement(ABC):
    """Judges outputs [..., outputs] against labels, each example on its own.

    Attributes:
        outputs: the number of outputs of a model for one example.
    """

    outputs: int

    @abstractmethod
    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each example: [...]."""

    @abstractmethod
    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """d(sum over examples of weight · loss)/d(outputs): [..., outputs]."""

    @abstractmethod
    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Which examples are answered correctly: bool [...]."""

    def refuses(self, labels: Tensor) -> str | None:
        """Why these labels cannot be judged, and what to write instead; None if they can."""
        return None


@dataclass(frozen=True)
class CrossEntropy(Judgement):
    """Cross entropy over `classes`; labels are int64 [...].

    Raises:
        ValueError: there are fewer than two classes, so that every answer would be correct.
    """

    classes: int

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(
                f"CrossEntropy({self.classes}) would count every answer as correct; write at least "
                "2 classes, or SquaredError(1, correct_by='sign') for one output"
            )

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return self.classes

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        # With z the outputs, m their maximum and y the right class, the loss is
        #   log Σⱼ exp(zⱼ − m) − (z_y − m) = log(others + exp(z_y − m)) − (z_y − m),
        # where `others` is the sum over the wrong classes. If y has the maximum, z_y − m = 0 and
        # the loss is log(1 + others): log1p keeps what 1 + others would round away.
        index = labels.unsqueeze(-1)
        top = outputs.amax(-1, keepdim=True)
        exponentials = (outputs - top).exp_()
        own = (outputs.gather(-1, index) - top).squeeze(-1)
        others = exponentials.scatter_(-1, index, 0.0).sum(-1)
        return torch.where(own == 0, others.log1p(), (others + own.exp()).log() - own)

    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        # weight · (softmax(z) − one-hot(y)). The entry of y is minus the sum of the others, which
        # keeps a tiny 1 − p_y that the difference would round to zero.
        index = labels.unsqueeze(-1)
        slope = outputs.softmax(-1).mul_(weights.unsqueeze(-1)).scatter_(-1, index, 0.0)
        return slope.scatter_(-1, index, -slope.sum(-1, keepdim=True))

    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.argmax(-1) == labels


@dataclass(frozen=True)
class SquaredError(Judgement):
    """Mean squared error over `outputs`; labels are floating point [..., outputs].

    Attributes:
        correct_by: when an example is correct. `argmax`, for one-hot labels: the largest output and
            the largest label have the same index. `sign`, for labels such as −1 and 1: each output
            has the sign of its label. `tolerance`: no output differs from its label by more than
            `tolerance`. `mean_square`: the squared error of the example, the mean over outputs, is below
            `tolerance`, as in Omnigrok's regression (Liu et al. 2022, arXiv:2210.01117).
        tolerance: above 0; in the units of the labels, and for `mean_square` of their squares.

    Raises:
        ValueError: the accuracy would be 1, or 0, whatever a model answers.
    """

    outputs: int
    correct_by: Way = "argmax"
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.correct_by not in get_args(Way):
            ways = ", ".join(get_args(Way))
            raise ValueError(f"correct_by is {self.correct_by!r}; write one of {ways}")
        if self.correct_by == "argmax" and self.outputs < 2:
            raise ValueError(
                f"SquaredError({self.outputs}) would count every answer as correct, because the "
                f"largest of one output is always the same; write SquaredError({self.outputs}, "
                "correct_by='sign') for labels below and above zero, or correct_by='tolerance' "
                "with a tolerance"
            )
        if self.correct_by in LIMITS and not 0 < self.tolerance < math.inf:
            raise ValueError(
                f"the tolerance is {self.tolerance}; write a finite number above 0, "
                f"{LIMITS[self.correct_by]}"
            )

    def refuses(self, labels: Tensor) -> str | None:
        if self.correct_by == "sign" and bool((labels == 0).any()):
            return (
                "labels are zero and have no sign, so that no answer would be correct; write "
                "labels such as -1 and 1, or correct_by='tolerance'"
            )
        if self.correct_by == "argmax":
            ties = (labels == labels.amax(-1, keepdim=True)).sum(-1) > 1
            if bool(ties.any()):
                return (
                    f"{int(ties.sum())} examples have several largest labels, and argmax names only "
                    "the first; write one-hot labels, or correct_by='tolerance'"
                )
        return None

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs - labels).square().mean(-1)

    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        return (outputs - labels) * (2 / self.outputs * weights).unsqueeze(-1)

    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self.correct_by == "argmax":
            return outputs.argmax(-1) == labels.argmax(-1)
        if self.correct_by == "sign":
            return (outputs.sign() == labels.sign()).all(-1)
        if self.correct_by == "mean_square":
            return self.loss(outputs, labels) < self.tolerance
        return (outputs - labels).abs().amax(-1) <= self.tolerance
