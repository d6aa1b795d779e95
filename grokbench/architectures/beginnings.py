"""Beginnings that many examples share, told apart from what comes after them.

Of the P² questions `a b =` only P begin differently, so a causal transformer has only P things to
say at the first position. How many positions are worth keeping apart is a matter of counting: a
beginning of n positions costs n for each distinct one, and saves n for each example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grokbench.architectures.base import Batch
from grokbench.architectures.factored import Rows


@dataclass(frozen=True, eq=False)
class Sequences:
    """Consecutive positions of `count` sequences for every run.

    Attributes:
        rows: [runs, positions, count], into the tables of all runs that `Rows` numbers.
        earlier: [runs, positions before, count], into what all runs keep of their beginnings,
            [runs, positions before, beginnings].
        part: [runs, count].
    """

    rows: Tensor
    earlier: Tensor
    part: Tensor

    def cut(self, where: slice) -> Sequences:
        rows, earlier, part = self.rows[..., where], self.earlier[..., where], self.part[:, where]
        return Sequences(rows.contiguous(), earlier.contiguous(), part.contiguous())


def part_beginnings(
    rows: Rows, batches: Sequence[Batch], layers: int, *, by_part: bool
) -> tuple[Sequences, ...]:
    """The distinct beginnings, the same for every run, and then the rest of each batch.

    Args:
        rows: the numbering of tokens at positions.
        batches: training examples first.
        layers: how many layers work on them.
        by_part: whether examples of different parts may not share a beginning.
    """
    runs = len(batches[0].inputs)
    index = [rows.index(batch.inputs).transpose(0, 1) for batch in batches]
    tokens = torch.cat([one.transpose(1, 2).flatten(0, 1) for one in index]) % len(rows.tokens)
    parts = torch.cat([batch.part.flatten() for batch in batches])
    kinds = parts if by_part else torch.zeros_like(parts)
    number, length = cheapest(tokens, kinds, batches[0].inputs.shape[1], layers)

    count = int(number.max()) + 1
    device = tokens.device
    example = number.new_empty(count)
    example[number] = torch.arange(len(number), device=device)
    run = torch.arange(runs, device=device)[:, None, None]
    position = torch.arange(length, device=device)[:, None]
    beginnings = Sequences(
        tokens[example, :length].T + run * len(rows.tokens),
        tokens.new_empty(runs, 0, count),
        parts[example].expand(runs, count),
    )
    numbers = number.split([batch.part.numel() for batch in batches])  # type: ignore[no-untyped-call]
    rest = [
        Sequences(
            one[:, length:],
            (run * length + position) * count + own.view(runs, 1, -1),
            batch.part,
        )
        for one, own, batch in zip(index, numbers, batches, strict=True)
    ]
    return beginnings, *rest


def cheapest(tokens: Tensor, kinds: Tensor, examples: int, layers: int) -> tuple[Tensor, int]:
    """The number of every example's beginning, and of how many positions beginnings are best.

    Args:
        tokens: [examples of all runs, length].
        kinds: [examples of all runs]; a beginning has one kind.
        examples: how many each run has to train on.
        layers: the first is a table anyway, for beginnings as for anything else.
    """
    length, known = tokens.shape[1], kinds
    best, number, positions = (layers - 1) * length * examples, torch.zeros_like(kinds), 0
    for end in range(1, length):
        known = known * (int(tokens.max()) + 1) + tokens[:, end - 1]
        known = torch.unique(known, return_inverse=True)[1]
        work = (layers - 1) * (end * (int(known.max()) + 1) + (length - end) * examples)
        if work < best:
            best, number, positions = work, known, end
    return number, positions
