"""Random labels: nothing to generalize, so what is learned is memorized."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field

from grokbench.definition import Options
from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy
from grokbench.tasks.pairs import (
    check_pairs,
    equation_examples,
    symmetric_random_labels,
    train_mask,
)


class RandomLabelsOptions(Options):
    modulus: Annotated[int, Field(ge=2, le=4096)] = 113


class RandomLabels(Task):
    """A random answer to `a b =`, the same for `b a =`; nothing validates.

    The measure of memorization capacity in Huang et al. 2024, § 2.3 and Fig. 4, where all P² pairs
    train.
    """

    name = "random_labels"
    Options = RandomLabelsOptions

    @property
    def inputs(self) -> Tokens:
        return Tokens(vocabulary=self.options.modulus + 1, length=3)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(self.options.modulus)

    def check(self, data_size: int) -> str | None:
        return check_pairs(self.options.modulus, data_size)

    def examples(self, data_size: int, streams: Streams) -> Examples:
        modulus = self.options.modulus
        labels = symmetric_random_labels(modulus, streams("labels"))
        train = train_mask(modulus, data_size, "ordered", streams("split"))
        nothing = torch.zeros_like(train)
        return replace(
            equation_examples(modulus, labels, train), validation=nothing, mirror_free=nothing
        )
