"""Random labels: there is no rule to find, so a model can only memorize."""

from __future__ import annotations

from dataclasses import replace

import torch

from grokbench.randomness import Streams
from grokbench.tasks.base import Examples
from grokbench.tasks.pairs import (
    PairTask,
    equation_examples,
    symmetric_random_labels,
    train_mask,
)


class RandomLabels(PairTask):
    """A random answer to `a b =`, the same to `b a =`; nothing validates.

    Huang et al. 2024, § 2.3 and Fig. 4, measure memorization capacity with this task. All P² pairs
    train there.
    """

    name = "random_labels"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        modulus = self.options.modulus
        labels = symmetric_random_labels(modulus, streams("labels"))
        train = train_mask(modulus, data_size, "ordered", streams("split"))
        nothing = torch.zeros_like(train)
        asked = equation_examples(modulus, labels, train, operator_token=self.operator_token)
        return replace(asked, validation=nothing, mirror_free=nothing)
