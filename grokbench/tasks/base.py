"""The contract of a task: examples in tensors, for one data size and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from grokbench.definition import Definition
from grokbench.randomness import Streams
from grokbench.tasks.judging import Judgement


@dataclass(frozen=True)
class Tokens:
    """Inputs are sequences of tokens: int64 [examples, length], each below `vocabulary`."""

    vocabulary: int
    length: int


@dataclass(frozen=True)
class Features:
    """Inputs are vectors: floating point [examples, width]."""

    width: int


@dataclass(frozen=True, eq=False)
class Examples:
    """All the examples of one run, and what each is for.

    Attributes:
        inputs: [examples, length] int64 or [examples, width] floating point.
        labels: [examples] int64, or [examples, outputs] floating point for squared error.
        train: [examples] bool.
        validation: [examples] bool; disjoint from `train`.
        part: [examples] int64, an index into the task's `parts`.
        mirror_free: [examples] bool; the validation examples whose mirror (the same question
            asked another way, such as b + a for a + b) is not in training.
    """

    inputs: Tensor
    labels: Tensor
    train: Tensor
    validation: Tensor
    part: Tensor
    mirror_free: Tensor


class Task(Definition, ABC):
    """Makes examples: inputs, labels, and which of them train and which validate."""

    @property
    @abstractmethod
    def inputs(self) -> Tokens | Features:
        """What the inputs are."""

    @property
    @abstractmethod
    def judgement(self) -> Judgement:
        """How outputs are judged: `CrossEntropy(classes)` or `SquaredError(outputs)`."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that metrics are kept apart for."""
        return ("all",)

    @abstractmethod
    def check(self, data_size: int) -> str | None:
        """Why this data size cannot be had, and what can; None when it can."""

    @abstractmethod
    def examples(self, data_size: int, streams: Streams) -> Examples:
        """The examples of one run.

        Args:
            data_size: how many of them train (for a mixture: of its first part).
            streams: where all randomness comes from; `streams("split")` and so on.
        """
