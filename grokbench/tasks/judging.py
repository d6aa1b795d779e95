"""The loss of outputs, the gradient of the loss, and which outputs are correct.

The cross entropy keeps its relative precision in float32, however small a loss is. A model that has
learned its examples has losses far below the spacing of float32 numbers near one. The usual
`log_softmax` rounds such losses to zero, and the gradient of the right class too, so that the
gradients of the classes no longer sum to zero. This alone can stop grokking (Prieto et al. 2025,
arXiv:2501.04697) and cause slingshots ("Grokking or Glitching?" 2026, arXiv:2605.06152).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


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


@dataclass(frozen=True)
class CrossEntropy(Judgement):
    """Cross entropy over `classes`; labels are int64 [...]."""

    classes: int

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

    With `correct_by="argmax"`, for one-hot labels, an example is correct when the largest output
    and the largest label have the same index. With `"tolerance"` an example is correct when no
    output differs from its label by more than `tolerance`.
    """

    outputs: int
    correct_by: Literal["argmax", "tolerance"] = "argmax"
    tolerance: float = 1e-3

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs - labels).square().mean(-1)

    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        return (outputs - labels) * (2 / self.outputs * weights).unsqueeze(-1)

    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self.correct_by == "argmax":
            return outputs.argmax(-1) == labels.argmax(-1)
        return (outputs - labels).abs().amax(-1) <= self.tolerance
