"""Small tasks of every kind, on which the kit tries architectures and measures."""

from __future__ import annotations

import torch

from grokbench.randomness import Streams
from grokbench.tasks import Mixture, ModularAddition
from grokbench.tasks.base import Examples, Features, Task
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError

COUNT = 40
WIDTH = 6


class Teacher(Task):
    """Two outputs of a linear teacher, from vectors of six features."""

    name = "teacher_of_the_kit"

    @property
    def inputs(self) -> Features:
        return Features(WIDTH)

    @property
    def judgement(self) -> Judgement:
        return SquaredError(2)

    def check(self, data_size: int) -> str | None:
        return None if data_size <= COUNT else f"write at most {COUNT}"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        inputs = torch.randn(COUNT, WIDTH, generator=streams("inputs"), dtype=torch.float32)
        taught = inputs @ torch.randn(WIDTH, 2, generator=streams("teacher"), dtype=torch.float32)
        train = torch.arange(COUNT) < data_size
        part = torch.zeros(COUNT, dtype=torch.int64)
        return Examples(inputs, self.labels(taught), train, ~train, part, ~train)

    def labels(self, taught: torch.Tensor) -> torch.Tensor:
        return taught


class Sides(Teacher):
    """Which of the teacher's two outputs is larger."""

    name = "sides_of_the_kit"

    @property
    def judgement(self) -> Judgement:
        return CrossEntropy(2)

    def labels(self, taught: torch.Tensor) -> torch.Tensor:
        return taught.argmax(1)


def reference_tasks() -> tuple[Task, ...]:
    """Tokens, tokens in two parts, vectors with target values, vectors with classes."""
    return (
        ModularAddition.from_options({"modulus": 7}),
        Mixture.from_options({"modulus": 7, "memorization_size": 20}),
        Teacher(),
        Sides(),
    )
