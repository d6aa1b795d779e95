"""Pairs of numbers below a modulus: all of them, how they are split, and which are mirrors."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from grokbench.definition import Options
from grokbench.tasks.base import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy

Split = Literal["ordered", "unordered"]


class ModulusOptions(Options):
    modulus: Annotated[int, Field(ge=2, le=4096)] = 113


class PairOptions(ModulusOptions):
    split: Split = "ordered"
    """`ordered`: (a, b) and (b, a) are split independently, as is usual, so that about
    data_size/modulus² of the validation pairs have their mirror in training. `unordered`: mirrors
    stay together, so that no validation pair has its mirror in training."""


class PairTask(Task):
    """A task that asks `a b =` for every pair of numbers below a modulus."""

    Options = ModulusOptions

    @property
    def inputs(self) -> Tokens:
        return Tokens(vocabulary=self.options.modulus + 1, length=3)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(self.options.modulus)

    def check(self, data_size: int) -> str | None:
        return check_pairs(self.options.modulus, data_size)


def all_pairs(modulus: int) -> tuple[Tensor, Tensor]:
    """Every ordered pair (a, b): two int64 tensors [modulus²]; a varies slowest."""
    numbers = torch.arange(modulus)
    return numbers.repeat_interleave(modulus), numbers.repeat(modulus)


def check_pairs(modulus: int, data_size: int) -> str | None:
    """Why `data_size` of the modulus² pairs cannot train; None if they can."""
    if 1 <= data_size <= modulus**2:
        return None
    return f"there are {modulus**2} pairs below {modulus}; write 1 to {modulus**2}, not {data_size}"


def train_mask(modulus: int, data_size: int, split: Split, generator: torch.Generator) -> Tensor:
    """Which of `all_pairs(modulus)` train: bool [modulus²], exactly `data_size` of them true.

    From the same generator state, a larger data size only adds pairs. The exception is `unordered`,
    where one pair may differ to make the count exact.
    """
    mask = torch.zeros(modulus**2, dtype=torch.bool)
    if split == "ordered":
        mask[torch.randperm(modulus**2, generator=generator)[:data_size]] = True
        return mask
    a, b = all_pairs(modulus)
    upper = torch.nonzero(a <= b).squeeze(1)
    shuffled = upper[torch.randperm(len(upper), generator=generator)]
    # A diagonal pair (a, a) is one example, any other pair is two with its mirror.
    width = torch.where(a[shuffled] == b[shuffled], 1, 2)
    chosen = shuffled[width.cumsum(0) <= data_size]
    mask[chosen] = True
    mask[b[chosen] * modulus + a[chosen]] = True
    if int(mask.sum()) < data_size:
        # One example is missing, and the next pair would add two. Add the next free diagonal pair.
        # If none is free, replace a diagonal pair by the next pair.
        diagonal = shuffled[width == 1]
        free = diagonal[~mask[diagonal]]
        if len(free):
            mask[free[0]] = True
        else:
            pair = shuffled[~mask[shuffled]][0]
            mask[diagonal[-1]] = False
            mask[pair] = mask[b[pair] * modulus + a[pair]] = True
    return mask


def has_mirror_in(mask: Tensor, modulus: int) -> Tensor:
    """Which of `all_pairs(modulus)` have their mirror (b, a) in `mask`: bool [modulus²]."""
    return mask.view(modulus, modulus).T.reshape(-1)


def symmetric_random_labels(modulus: int, generator: torch.Generator) -> Tensor:
    """A random label below `modulus` for every pair, the same for (a, b) and (b, a): [modulus²]."""
    table = torch.randint(modulus, (modulus, modulus), generator=generator)
    return torch.triu(table).add(torch.triu(table, 1).T).reshape(-1)


def equation_examples(modulus: int, labels: Tensor, train: Tensor) -> Examples:
    """The examples `a b =` for every pair; pairs that do not train validate.

    Tokens are the numbers below `modulus`, and the number `modulus` for `=`.

    Args:
        labels: [modulus²] int64, in the order of `all_pairs`.
        train: [modulus²] bool.
    """
    a, b = all_pairs(modulus)
    return Examples(
        inputs=torch.stack([a, b, torch.full_like(a, modulus)], dim=1),
        labels=labels,
        train=train,
        validation=~train,
        part=torch.zeros_like(a),
        mirror_free=~train & ~has_mirror_in(train, modulus),
    )
