"""Modular arithmetic, as in work on grokking (Power et al. 2022, Nanda et al. 2023)."""

from __future__ import annotations

from grokbench.randomness import Streams
from grokbench.tasks.base import Examples
from grokbench.tasks.pairs import (
    PairOptions,
    PairTask,
    all_pairs,
    equation_examples,
    train_mask,
)


class ModularAddition(PairTask):
    """(a + b) mod P, asked as `a b =`."""

    name = "modular_addition"
    Options = PairOptions
    power = 1

    def examples(self, data_size: int, streams: Streams) -> Examples:
        modulus = self.options.modulus
        a, b = all_pairs(modulus)
        train = train_mask(modulus, data_size, self.options.split, streams("split"))
        return equation_examples(modulus, (a + b) ** self.power % modulus, train)


class ModularSquare(ModularAddition):
    """(a + b)² mod P, asked as `a b =`: harder to generalize (Huang et al. 2024, Fig. 7)."""

    name = "modular_square"
    power = 2
