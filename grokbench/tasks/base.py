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

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: [length]."""
        return (self.length,)


@dataclass(frozen=True)
class Features:
    """Inputs are vectors: floating point [examples, width]."""

    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: [width]."""
        return (self.width,)


@dataclass(frozen=True)
class Images:
    """Inputs are images: floating point [examples, channels, height, width]."""

    height: int
    width: int
    channels: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input, as torch's convolutions take it: [channels, height, width]."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of one run, and which of them train and which validate.

    Attributes:
        inputs: [examples, length] int64, [examples, width] floating point, or
            [examples, channels, height, width] floating point.
        labels: [examples] int64, or [examples, outputs] floating point for squared error.
        train: [examples] bool.
        validation: [examples] bool; disjoint from `train`.
        part: [examples] int64, an index into the task's `parts`.
        mirror_free: [examples] bool, the validation examples whose mirror is not in training. A
            mirror is the same question asked in another way, such as b + a for a + b.
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
    def inputs(self) -> Tokens | Features | Images:
        """The type and shape of the inputs."""

    @property
    @abstractmethod
    def judgement(self) -> Judgement:
        """The loss, and what is correct: `CrossEntropy(classes)`, or `SquaredError(outputs)` with
        `correct_by`.
        """

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts of the task; every metric is stored for each part."""
        return ("all",)

    @abstractmethod
    def check(self, data_size: int) -> str | None:
        """Why there is no such data size, and what to write instead; None when there is one."""

    def missing(self) -> str | None:
        """Which data are missing on this machine, and where to get them; None if nothing is missing.

        Called before runs are trained. `check` must not look for data, because stored results are
        also judged on machines without the data.
        """
        return None

    @abstractmethod
    def examples(self, data_size: int, streams: Streams) -> Examples:
        """The examples of one run.

        Args:
            data_size: the number of training examples in the task's first part.
            streams: all randomness comes from here: `streams("split")` and so on.
        """
