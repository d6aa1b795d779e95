"""Prefixes that many examples share, computed apart from the tokens after them.

The P² questions `a b =` have only P different first tokens, so a causal transformer computes only P
different things at the first position. Prefixes of n positions cost n for each different prefix,
and save n for each example. The length with the least work is found by counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grokbench.architectures.base import Batch
from grokbench.architectures.token_rows import TokenRows


@dataclass(frozen=True, eq=False)
class Sequences:
    """Consecutive positions of `count` sequences for every run.

    Attributes:
        rows: [runs, positions, count], the table row of each token (see `TokenRows.index`).
        earlier: [runs, positions before, count], where the keys and values of the positions before
            are found: an index into what all runs keep of their prefixes,
            [runs, positions before, prefixes].
        part: [runs, count].
    """

    rows: Tensor
    earlier: Tensor
    part: Tensor

    def cut(self, where: slice) -> Sequences:
        """Some of the sequences."""
        rows, earlier, part = self.rows[..., where], self.earlier[..., where], self.part[:, where]
        return Sequences(rows.contiguous(), earlier.contiguous(), part.contiguous())

    def pick(self, which: Tensor) -> Sequences:
        """Some sequences of every run: those at the places `which` [runs, picked] int64."""
        rows, earlier = (
            one.gather(2, which.unsqueeze(1).expand(-1, one.shape[1], -1))
            for one in (self.rows, self.earlier)
        )
        return Sequences(rows, earlier, self.part.gather(1, which))


def split_prefixes(
    rows: TokenRows, batches: Sequence[Batch], layers: int, *, by_part: bool
) -> tuple[Sequences, ...]:
    """The different prefixes, the same for every run, and then the rest of each batch.

    Args:
        rows: the rows of tokens at positions.
        batches: the training examples first.
        layers: the number of the transformer's layers.
        by_part: whether examples of different parts need prefixes of their own.
    """
    runs = len(batches[0].inputs)
    index = [rows.index(batch.inputs).transpose(0, 1) for batch in batches]
    # [examples of all runs and batches, length]: rows of one run's table
    tokens = torch.cat([one.transpose(1, 2).flatten(0, 1) for one in index]) % len(rows.tokens)
    parts = torch.cat([batch.part.flatten() for batch in batches])
    kinds = parts if by_part else torch.zeros_like(parts)
    number, length = cheapest_length(tokens, kinds, batches[0].inputs.shape[1], layers)

    count = int(number.max()) + 1
    device = tokens.device
    # An example of each prefix, whichever: examples with one number have equal prefixes.
    example = number.new_empty(count)
    example[number] = torch.arange(len(number), device=device)
    run = torch.arange(runs, device=device)[:, None, None]
    position = torch.arange(length, device=device)[:, None]
    prefixes = Sequences(
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
    return prefixes, *rest


def cheapest_length(
    tokens: Tensor, kinds: Tensor, examples: int, layers: int
) -> tuple[Tensor, int]:
    """The number of every example's prefix, and the length of prefixes with the least work.

    Work is counted in positions that go through a layer. The first layer is not counted: it reads
    its keys and values from a table, with prefixes or without.

    Args:
        tokens: [examples of all runs, length].
        kinds: [examples of all runs]; examples of different kinds share no prefix.
        examples: the number of training examples of one run.
        layers: the number of the transformer's layers.
    """
    length, known = tokens.shape[1], kinds
    best, number, positions = (layers - 1) * length * examples, torch.zeros_like(kinds), 0
    for end in range(1, length):
        # Number the different pairs (number of the shorter prefix, next token).
        known = known * (int(tokens.max()) + 1) + tokens[:, end - 1]
        known = torch.unique(known, return_inverse=True)[1]
        work = (layers - 1) * (end * (int(known.max()) + 1) + (length - end) * examples)
        if work < best:
            best, number, positions = work, known, end
    return number, positions
