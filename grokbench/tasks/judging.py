"""How outputs are judged: loss, its gradient, and what counts as correct.

The cross entropy is written so that float32 is as good as float64: a model that has learned its
examples has losses far below float32's spacing near one, and the naive `log_softmax` rounds them
to zero, or its gradient to one that no longer sums to zero, which by itself stops grokking or sets
off slingshots (Prieto et al. 2025, arXiv:2501.04697). Here the loss of a correct answer is
log1p(sum of the other classes' exponentials), and the gradient of the right class is minus the sum
of the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


class Judgement(ABC):
    """Judges outputs [..., outputs] against labels; every method is free of reductions over runs."""

    outputs: int

    @abstractmethod
    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each example: [...]."""

    @abstractmethod
    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """d(sum of weights · loss)/d(outputs): [..., outputs]."""

    @abstractmethod
    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Which examples are right: bool [...]."""


@dataclass(frozen=True)
class CrossEntropy(Judgement):
    """Cross entropy over `classes`; labels are int64 [...]."""

    classes: int

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return self.classes

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        index = labels.unsqueeze(-1)
        top = outputs.amax(-1, keepdim=True)
        exponentials = (outputs - top).exp_()
        own = (outputs.gather(-1, index) - top).squeeze(-1)
        others = exponentials.scatter_(-1, index, 0.0).sum(-1)
        return torch.where(own == 0, others.log1p(), (others + own.exp()).log() - own)

    def gradient(self, outputs: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        index = labels.unsqueeze(-1)
        slope = outputs.softmax(-1).mul_(weights.unsqueeze(-1)).scatter_(-1, index, 0.0)
        return slope.scatter_(-1, index, -slope.sum(-1, keepdim=True))

    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.argmax(-1) == labels


@dataclass(frozen=True)
class SquaredError(Judgement):
    """Mean squared error over `outputs`; labels are floating point [..., outputs].

    An example is correct when its largest output is its largest label (`argmax`, for one-hot
    labels), or when no output is off by more than `tolerance`.
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
