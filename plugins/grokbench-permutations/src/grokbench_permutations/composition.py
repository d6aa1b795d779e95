"""Composition in a symmetric group, for every pair of its elements."""

from functools import cache
from itertools import permutations
from math import factorial
from typing import Annotated

import torch
from grokbench import CrossEntropy, Examples, Options, Streams, Task, Tokens
from pydantic import Field
from torch import Tensor


class CompositionOptions(Options):
    points: Annotated[int, Field(ge=3, le=5)] = 5
    """The number of permuted objects: the group is S3, S4 or S5."""


class PermutationComposition(Task):
    """The product a ∘ b of two permutations (b first, then a), asked as `a b =`.

    The task of Power et al. 2022 (arXiv:2201.02177) and of Chughtai et al. 2023
    (arXiv:2302.03025). Tokens are the elements of the group, in lexicographic order, and `=`. Pairs
    that do not train validate.

    The group is not commutative. b ∘ a gives the answer to a ∘ b away only if a and b commute (840
    of S5's 14 400 pairs). Only then are the two pairs mirrors of each other.
    """

    name = "permutation_composition"
    Options = CompositionOptions
    tested_with = ({"points": 3}, {"points": 4})

    @property
    def order(self) -> int:
        """The number of elements of the group: 120 for S5."""
        return factorial(self.options.points)

    @property
    def inputs(self) -> Tokens:
        return Tokens(vocabulary=self.order + 1, length=3)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(self.order)

    def check(self, data_size: int) -> str | None:
        pairs = self.order**2
        if 1 <= data_size <= pairs:
            return None
        group = f"S{self.options.points}"
        return f"{group} has {pairs} pairs; write 1 to {pairs}, not {data_size}"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        products = composition_table(self.options.points)
        a, b = torch.meshgrid(torch.arange(self.order), torch.arange(self.order), indexing="ij")
        inputs = torch.stack([a, b, torch.full_like(a, self.order)], dim=-1).flatten(0, 1)
        shuffled = torch.randperm(self.order**2, generator=streams("split"))
        train = torch.zeros(self.order**2, dtype=torch.bool)
        train[shuffled[:data_size]] = True
        mirror_trains = (train.view_as(products).T & (products == products.T)).flatten()
        return Examples(
            inputs=inputs,
            labels=products.flatten().clone(),  # a copy: the table is cached, and the examples may be changed
            train=train,
            validation=~train,
            part=torch.zeros(self.order**2, dtype=torch.int64),
            mirror_free=~train & ~mirror_trains,
        )

    def mirror(self, inputs: Tensor) -> Tensor:
        """For each pair a, b: the pair b, a if a and b commute, otherwise the pair itself."""
        products = composition_table(self.options.points)
        a, b = inputs[:, 0], inputs[:, 1]
        swapped = inputs[:, [1, 0, 2]]
        return torch.where((products[a, b] == products[b, a]).unsqueeze(1), swapped, inputs)


@cache
def composition_table(points: int) -> Tensor:
    """The number of a ∘ b for every pair of permutations: int64 [order, order].

    Permutations are numbered in lexicographic order; 0 is the identity.
    """
    elements = list(permutations(range(points)))
    index = {element: i for i, element in enumerate(elements)}
    return torch.tensor([[index[tuple(a[i] for i in b)] for b in elements] for a in elements])
