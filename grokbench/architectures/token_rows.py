"""A row for each token at each position where it occurs.

Before attention, all that a transformer computes at a position depends on (token, position) alone.
So it is computed once for each such pair, as one row of a table, and not once for each example: the
P² questions `a b =` have only 2P + 1 rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Which token at which position each row of the table is.

    Attributes:
        tokens: [rows] int64, ordered by position and then by token.
        positions: [rows] int64.
        spans: the rows of each position.
        last: the last row, of the last position.
    """

    tokens: Tensor
    positions: Tensor
    spans: tuple[slice, ...]
    last: int

    @classmethod
    def of(cls, *inputs: Tensor) -> TokenRows:
        """The rows that occur in any of `inputs`, each [runs, examples, length] int64."""
        length = inputs[0].shape[2]
        found = [
            torch.unique(torch.cat([part[..., i].flatten() for part in inputs]))
            for i in range(length)
        ]
        tokens = torch.cat(found)
        positions = torch.cat([torch.full_like(column, i) for i, column in enumerate(found)])
        ends = list(accumulate(len(column) for column in found))
        spans = tuple(
            slice(end - len(column), end) for end, column in zip(ends, found, strict=True)
        )
        return cls(tokens, positions, spans, last=len(tokens) - 1)

    def index(self, inputs: Tensor) -> Tensor:
        """Tokens [runs, examples, length] → rows of all runs' tables, [length, runs, examples].

        The tables of all runs lie one below the other: row r of run i has the number
        i · rows + r.
        """
        position = torch.arange(inputs.shape[2], device=inputs.device)
        first = torch.arange(len(inputs), device=inputs.device) * len(self.tokens)
        return (self._number[position, inputs] + first[:, None, None]).permute(2, 0, 1)

    @cached_property
    def _number(self) -> Tensor:
        """[position, token]: the row of a token at a position.

        Made once, because making it reads a value back from the device.
        """
        number = self.tokens.new_zeros(len(self.spans), int(self.tokens.max()) + 1)
        rows = torch.arange(len(self.tokens), device=self.tokens.device)
        number[self.positions, self.tokens] = rows
        return number
