"""The layers of a stack of transformers, for sequences whose prefixes are already computed.

Attention is written out over the few keys of a sequence, as in `factored`. A batched matrix product
is slow for thousands of sequences of three tokens (a batch of tiny matrices for each head), and a
fused attention kernel is made for long sequences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.architectures.base import Views
from grokbench.architectures.shared_prefixes import Sequences
from grokbench.architectures.token_rows import TokenRows

PROJECTIONS = ("query", "key", "value")


@dataclass(frozen=True, eq=False)
class Design:
    """The shape of a `Transformer`.

    Attributes:
        width: the hidden size.
        hidden: the width of the feed-forward networks.
        heads, layers: how many.
        epsilon: of the layer norms; None without layer norms.
        units: [parts, hidden], which hidden units serve which part; None where all serve all.
    """

    width: int
    hidden: int
    heads: int
    layers: int
    epsilon: float | None
    units: Tensor | None


class Layers:
    """The layers of every run, with given parameters; streams are [runs, positions, count, width].

    What all blocks share is one list: the first layer's tables (stream, query, key, value; each
    [runs, rows, width]), then the keys and values of the prefixes in each layer (each
    [runs, positions, prefixes, width]).
    """

    def __init__(self, design: Design, parameters: Views) -> None:
        self.design, self.parameters = design, parameters
        like = parameters["tokens.weight"].detach()
        head, self.dtype = design.width // design.heads, like.dtype
        one = torch.eye(design.heads, dtype=like.dtype, device=like.device)
        # [heads, width], one where a column belongs to a head: `@ spread` repeats a number of each
        # head over its width, and `@ gather` sums over each head and divides by √(head's width).
        self.spread = one.repeat_interleave(head, 1)
        self.gather = self.spread.mT / math.sqrt(head)

    def prepare(self, rows: TokenRows, prefixes: Sequences) -> list[Tensor]:
        """What all blocks share: see the class's docstring."""
        stream = self._embed("tokens", rows.tokens) + self._embed("positions", rows.positions)
        normed = self._norm("layers.0.norm_attention", stream.unsqueeze(1))
        projected = [self._linear(f"layers.0.{name}", normed)[:, 0] for name in PROJECTIONS]
        tables = [stream, *projected]
        kept = self._through(tables, [], prefixes)[1] if prefixes.rows.shape[1] else []
        # In the parameters' precision, also under autocast: the gradients of thousands of examples
        # are summed in them.
        return [value.to(self.dtype) for value in (*tables, *kept)]

    def outputs(self, shared: Sequence[Tensor], sequences: Sequences) -> Tensor:
        """The logits at the last position: [runs, count, outputs]."""
        stream, _ = self._through(shared[:4], shared[4:], sequences)
        return self._linear("unembed", self._norm("norm", stream))[:, 0].to(self.dtype)

    def _through(
        self, tables: Sequence[Tensor], kept: Sequence[Tensor], sequences: Sequences
    ) -> tuple[Tensor, list[Tensor]]:
        """The stream at the last position after all layers, and each layer's keys and values.

        Args:
            tables: the first layer's.
            kept: keys and values of the prefixes, layer by layer; empty without prefixes.
        """
        units, passed = self.design.units, []
        if units is not None:
            units = functional.embedding(sequences.part, units).unsqueeze(1)
        for i in range(self.design.layers):
            # Nothing reads the last layer's stream but the unembedding of the last position.
            asked = 1 if i == self.design.layers - 1 else sequences.rows.shape[1]
            if i == 0:  # from the tables
                stream, query = (lookup(table, sequences.rows[:, -asked:]) for table in tables[:2])
                seen = [lookup(table, sequences.rows) for table in tables[2:]]
            else:
                normed = self._norm(f"layers.{i}.norm_attention", stream)
                seen = [self._linear(f"layers.{i}.{name}", normed) for name in PROJECTIONS[1:]]
                query = self._linear(f"layers.{i}.query", normed[:, -asked:])
                stream = stream[:, -asked:]
            passed += seen
            if kept:  # the prefix comes before the sequence's own positions
                before = [lookup(value, sequences.earlier) for value in kept[2 * i : 2 * i + 2]]
                seen = [torch.cat(pair, 1) for pair in zip(before, seen, strict=True)]
            # As in `Layer.forward`: x ← x + attention(norm(x)), x ← x + network(norm(x)).
            stream = stream + self._linear(f"layers.{i}.output", self._attend(query, *seen))
            normed = self._norm(f"layers.{i}.norm_mlp", stream)
            hidden = self._linear(f"layers.{i}.expand", normed).relu_()
            if units is not None:
                hidden = hidden * units.to(hidden.dtype)
            stream = stream + self._linear(f"layers.{i}.contract", hidden)
        return stream, passed

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """softmax(q·k / √(head's width)) v, where a position sees itself and those before it.

        Args:
            query: of the last positions, [runs, asked, count, width].
            keys, values: of all positions, [runs, positions, count, width].
        """
        mixed = []
        for i, own in enumerate(torch.split(query, 1, dim=1)):
            seen = keys.shape[1] - query.shape[1] + i + 1
            weights = ((own * keys[:, :seen]) @ self.gather).softmax(1)
            mixed.append(((weights @ self.spread) * values[:, :seen]).sum(1))
        return torch.stack(mixed, 1)

    def _linear(self, name: str, stream: Tensor) -> Tensor:
        """One matrix product for all positions of a run, each run with its own weights."""
        weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        flat = stream.flatten(1, 2)
        if bias is None:
            product = flat @ weight.mT
        else:
            product = torch.baddbmm(bias.unsqueeze(1), flat, weight.mT)
        return product.view(*stream.shape[:3], -1)

    def _norm(self, name: str, stream: Tensor) -> Tensor:
        """Layer norm (Ba et al. 2016, arXiv:1607.06450), or nothing in a model without norms."""
        if self.design.epsilon is None:
            return stream
        weight, bias = (
            self.parameters[f"{name}.{part}"][:, None, None] for part in ("weight", "bias")
        )
        # Torch normalizes; each run has its own gain and bias.
        plain = functional.layer_norm(stream, stream.shape[-1:], eps=self.design.epsilon)
        return torch.addcmul(bias, plain, weight)

    def _embed(self, name: str, index: Tensor) -> Tensor:
        table = self.parameters[f"{name}.weight"]
        return lookup(table, index + run_offsets(table)[:, None])


def lookup(table: Tensor, index: Tensor) -> Tensor:
    """Rows of all runs' tables, numbered through all runs: [*index, width].

    `embedding`, because its gradient is added in a fixed order on every device; the gradient of
    `index_select` is added in any order on a GPU.

    Args:
        table: [runs, …, width].
    """
    return functional.embedding(index, table.reshape(-1, table.shape[-1]))


def run_offsets(table: Tensor) -> Tensor:
    """The number of each run's first row in `table` [runs, rows, width]: [runs]."""
    return torch.arange(len(table), device=table.device) * table.shape[1]
