"""The layers of a stack of transformers, for sequences whose beginnings are known already.

Attention is written out over the few keys that there are, as in `factored`: neither tiny products
nor a fused kernel would serve thousands of sequences of three tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.architectures.base import Views
from grokbench.architectures.beginnings import Sequences
from grokbench.architectures.factored import Rows

PROJECTIONS = ("query", "key", "value")


@dataclass(frozen=True, eq=False)
class Design:
    """What a `Transformer` is, but for its weights.

    `epsilon` is the layer norms', None without them; `units` [parts, hidden] are the hidden units
    that serve each part, None where all serve all.
    """

    width: int
    hidden: int
    heads: int
    layers: int
    epsilon: float | None
    units: Tensor | None


class Layers:
    """The layers of every run, with given parameters; streams are [runs, positions, count, width].

    What is shared by all blocks is one list: the first layer's tables (stream, query, key, value;
    [runs, rows, width]), then the beginnings' keys and values of each layer ([runs, positions,
    beginnings, width]).
    """

    def __init__(self, design: Design, parameters: Views) -> None:
        self.design, self.parameters = design, parameters
        like = parameters["tokens.weight"].detach()
        head, self.dtype = design.width // design.heads, like.dtype
        one = torch.eye(design.heads, dtype=like.dtype, device=like.device)
        self.spread = one.repeat_interleave(head, 1)
        self.gather = self.spread.mT / math.sqrt(head)

    def prepare(self, rows: Rows, beginnings: Sequences) -> list[Tensor]:
        stream = self._embed("tokens", rows.tokens) + self._embed("positions", rows.positions)
        normed = self._norm("layers.0.norm_attention", stream.unsqueeze(1))
        projected = [self._linear(f"layers.0.{name}", normed)[:, 0] for name in PROJECTIONS]
        tables = [stream, *projected]
        kept = self._through(tables, [], beginnings)[1] if beginnings.rows.shape[1] else []
        # As precise as the parameters: the gradients of very many examples are added up in them.
        return [value.to(self.dtype) for value in (*tables, *kept)]

    def outputs(self, shared: Sequence[Tensor], sequences: Sequences) -> Tensor:
        """[runs, count, outputs]"""
        stream, _ = self._through(shared[:4], shared[4:], sequences)
        return self._linear("unembed", self._norm("norm", stream))[:, 0].to(self.dtype)

    def _through(
        self, tables: Sequence[Tensor], kept: Sequence[Tensor], sequences: Sequences
    ) -> tuple[Tensor, list[Tensor]]:
        """The stream at the last position after all layers, and each layer's keys and values."""
        units, passed = self.design.units, []
        if units is not None:
            units = functional.embedding(sequences.part, units).unsqueeze(1)
        for i in range(self.design.layers):
            asked = 1 if i == self.design.layers - 1 else sequences.rows.shape[1]
            if i == 0:
                stream, query = (lookup(table, sequences.rows[:, -asked:]) for table in tables[:2])
                seen = [lookup(table, sequences.rows) for table in tables[2:]]
            else:
                normed = self._norm(f"layers.{i}.norm_attention", stream)
                seen = [self._linear(f"layers.{i}.{name}", normed) for name in PROJECTIONS[1:]]
                query = self._linear(f"layers.{i}.query", normed[:, -asked:])
                stream = stream[:, -asked:]
            passed += seen
            if kept:
                before = [lookup(value, sequences.earlier) for value in kept[2 * i : 2 * i + 2]]
                seen = [torch.cat(pair, 1) for pair in zip(before, seen, strict=True)]
            stream = stream + self._linear(f"layers.{i}.output", self._attend(query, *seen))
            normed = self._norm(f"layers.{i}.norm_mlp", stream)
            hidden = self._linear(f"layers.{i}.expand", normed).relu_()
            if units is not None:
                hidden = hidden * units.to(hidden.dtype)
            stream = stream + self._linear(f"layers.{i}.contract", hidden)
        return stream, passed

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Queries of the last positions; keys and values [runs, all positions, count, width]."""
        mixed = []
        for i, own in enumerate(torch.split(query, 1, dim=1)):
            seen = keys.shape[1] - query.shape[1] + i + 1
            weights = ((own * keys[:, :seen]) @ self.gather).softmax(1)
            mixed.append(((weights @ self.spread) * values[:, :seen]).sum(1))
        return torch.stack(mixed, 1)

    def _linear(self, name: str, stream: Tensor) -> Tensor:
        weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        flat = stream.flatten(1, 2)
        if bias is None:
            product = flat @ weight.mT
        else:
            product = torch.baddbmm(bias.unsqueeze(1), flat, weight.mT)
        return product.view(*stream.shape[:3], -1)

    def _norm(self, name: str, stream: Tensor) -> Tensor:
        if self.design.epsilon is None:
            return stream
        weight, bias = (
            self.parameters[f"{name}.{part}"][:, None, None] for part in ("weight", "bias")
        )
        plain = functional.layer_norm(stream, stream.shape[-1:], eps=self.design.epsilon)
        return torch.addcmul(bias, plain, weight)

    def _embed(self, name: str, index: Tensor) -> Tensor:
        table = self.parameters[f"{name}.weight"]
        return lookup(table, index + run_offsets(table)[:, None])


def lookup(table: Tensor, index: Tensor) -> Tensor:
    """Rows of all runs' tables [runs, …, width] by a common numbering: [*index, width].

    `embedding` adds its gradients in a fixed order on every device, unlike `index_select`.
    """
    return functional.embedding(index, table.reshape(-1, table.shape[-1]))


def run_offsets(table: Tensor) -> Tensor:
    """Where each run's rows begin in `table` [runs, rows, width]: [runs]."""
    return torch.arange(len(table), device=table.device) * table.shape[1]
