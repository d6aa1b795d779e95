"""The exact token-factored form of a one-layer transformer, for a stack of runs.

Only the last position is read, and its token is always the same, so its query is one constant
vector, and keys, values and attention scores depend on (token, position) alone: they are tables
with a row for each token that occurs at each position (2P + 1 rows for `a b =`), not tensors over
examples. What is left per example is a weighted sum of table rows, the feed-forward network and the
unembedding. The function and its gradients are those of `Transformer`, to rounding; the work is
about a third of it. No softmax is shared between examples: a maximum over the whole table would
underflow for pairs whose scores all lie far below it.

The backward pass is written out, so that examples can go through in blocks that stay in the cache
and every gradient is accumulated by a matrix product into place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.architectures.base import Batch, Program, Views
from grokbench.tasks.judging import Judgement

BLOCK_BYTES = {"cpu": 2**20, "cuda": 2**28}
"""How much of the widest activation is alive at a time, by kind of device: about what a core's
second cache holds, and enough that a GPU's time does not go into launching many blocks (a guess)."""

LAYER = "layers.0."


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of the table: which token at which position each one is.

    `spans` are the rows of each position, `last` is the last position's.
    """

    tokens: Tensor
    positions: Tensor
    spans: tuple[slice, ...]
    last: int

    def index(self, inputs: Tensor) -> Tensor:
        """Tokens [runs, examples, length] → rows of all runs' tables, [length, runs, examples]."""
        length = inputs.shape[2]
        position = torch.arange(length, device=inputs.device)
        number = self.tokens.new_zeros(length, int(self.tokens.max()) + 1)
        number[self.positions, self.tokens] = torch.arange(len(self.tokens), device=inputs.device)
        first = torch.arange(len(inputs), device=inputs.device) * len(self.tokens)
        return (number[position, inputs] + first[:, None, None]).permute(2, 0, 1)


class Scatter:
    """Adds values to constant places of a table, in a fixed order on every device.

    Each place gathers its own values, which are put in order once: `index_add_` leaves the order to
    chance on a GPU, and is slower on a CPU.

    Args:
        index: [values] int64, the place of each value.
        places: how many there are.
    """

    def __init__(self, index: Tensor, places: int) -> None:
        self.order = index.argsort(stable=True)
        each = torch.arange(places, device=index.device)
        self.starts = torch.searchsorted(index[self.order], each)

    def add(self, values: Tensor, into: Tensor) -> None:
        """`values` [values, width] are added to `into` [places, width]."""
        into += functional.embedding_bag(self.order, values, self.starts, mode="sum")


@dataclass(frozen=True, eq=False)
class Block:
    """Some of a batch's examples.

    `index` [length, runs, examples] points into the rows of all runs, for every position but the
    last; `units` [runs, examples, hidden] are the hidden units that serve each example, if not all.
    """

    index: Tensor
    scatter: Scatter
    labels: Tensor
    weights: Tensor
    units: Tensor | None


class FactoredTransformer(Program):
    """See the module's docstring."""

    def __init__(
        self,
        heads: int,
        units: Tensor | None,
        judgement: Judgement,
        train: Batch,
        evaluation: Batch,
    ) -> None:
        self.heads, self.units, self.judgement = heads, units, judgement
        self.batches = {"train": train, "evaluation": evaluation}
        self.blocks: dict[str, list[Block]] = {}
        self.rows = table_rows(train.inputs, evaluation.inputs)

    def gradient(self, parameters: Views, gradients: Views) -> None:
        for gradient in gradients.values():
            gradient.zero_()
        table = Table(parameters, self.rows, self.heads)
        into = TableGradient(table)
        for block in self._blocks("train", parameters):
            example = Example(parameters, table, block)
            outputs = example.outputs(parameters)
            slope = self.judgement.gradient(outputs, block.labels, block.weights)
            example.backward(slope, parameters, gradients, into)
        into.backward(parameters, gradients)

    def outputs(self, parameters: Views) -> Tensor:
        table = Table(parameters, self.rows, self.heads)
        blocks = self._blocks("evaluation", parameters)
        return torch.cat(
            [Example(parameters, table, block).outputs(parameters) for block in blocks], dim=1
        )

    def _blocks(self, name: str, parameters: Views) -> list[Block]:
        """The batch cut into blocks of examples, made at first use (only then is a width known)."""
        if name not in self.blocks:
            batch = self.batches.pop(name)
            widest = parameters[LAYER + "expand.weight"]
            runs, hidden = widest.shape[:2]
            most = BLOCK_BYTES.get(widest.device.type, BLOCK_BYTES["cuda"])
            length = max(64, most // (runs * hidden * widest.element_size()))
            index = self.rows.index(batch.inputs)[:-1]
            units = None if self.units is None else self.units.to(widest)
            self.blocks[name] = [
                Block(
                    index[:, :, cut].contiguous(),
                    Scatter(index[:, :, cut].flatten(), runs * len(self.rows.tokens)),
                    batch.labels[:, cut].contiguous(),
                    batch.weights[:, cut].contiguous(),
                    None if units is None else units[batch.part[:, cut]],
                )
                for start in range(0, index.shape[2], length)
                for cut in [slice(start, start + length)]
            ]
        return self.blocks[name]


def table_rows(*inputs: Tensor) -> Rows:
    """A row for every token that occurs at every position of `inputs` [runs, examples, length]."""
    length = inputs[0].shape[2]
    found = [
        torch.unique(torch.cat([part[..., i].flatten() for part in inputs])) for i in range(length)
    ]
    tokens = torch.cat(found)
    positions = torch.cat([torch.full_like(column, i) for i, column in enumerate(found)])
    ends = list(accumulate(len(column) for column in found))
    spans = tuple(slice(end - len(column), end) for end, column in zip(ends, found, strict=True))
    return Rows(tokens, positions, spans, last=len(tokens) - 1)


class Table:
    """Embeddings, keys, values and scores of every row: [runs, rows, …]."""

    def __init__(self, parameters: Views, rows: Rows, heads: int) -> None:
        self.rows = rows
        self.embeddings = parameters["tokens.weight"].index_select(1, rows.tokens)
        self.embeddings += parameters["positions.weight"].index_select(1, rows.positions)
        self.end = self.embeddings[:, rows.last :]
        self.keys = self.embeddings @ parameters[LAYER + "key.weight"].mT
        self.values = self.embeddings @ parameters[LAYER + "value.weight"].mT
        self.query = self.end @ parameters[LAYER + "query.weight"].mT
        width = self.keys.shape[2]
        one = torch.eye(heads, dtype=self.keys.dtype, device=self.keys.device)
        self.spread = one.repeat_interleave(width // heads, 1)
        self.scale = 1 / math.sqrt(width // heads)
        self.scores = (self.keys * self.query) @ self.spread.mT * self.scale
        self.end_values = self.spread * self.values[:, rows.last :]


class Example:
    """The forward pass of a block of examples, and its backward pass.

    Attention is kept position by position ([length, runs, examples, heads]), and a value per head
    is spread over the head's width by a product with `spread` [heads, width] of ones and zeros:
    both keep the innermost loops long where a head is two numbers wide.
    """

    def __init__(self, parameters: Views, table: Table, block: Block) -> None:
        length, runs, count = block.index.shape
        self.table, self.scatter, self.flat = table, block.scatter, block.index.view(-1)
        width, heads = table.values.shape[2], table.scores.shape[2]
        scores = table.scores.view(-1, heads).index_select(0, self.flat)
        end = table.scores[:, table.rows.last :].expand(1, runs, count, heads)
        self.attention = torch.cat([scores.view(length, runs, count, heads), end]).softmax(0)
        self.values = table.values.view(-1, width).index_select(0, self.flat)
        self.values = self.values.view(length, runs, count, width)
        self.spread = self.attention[:-1] @ table.spread
        self.mixed = self.attention[-1] @ table.end_values
        for i in range(length):
            self.mixed.addcmul_(self.spread[i], self.values[i])
        self.stream = torch.baddbmm(table.end, self.mixed, parameters[LAYER + "output.weight"].mT)
        bias = parameters[LAYER + "expand.bias"].unsqueeze(1)
        self.hidden = torch.baddbmm(bias, self.stream, parameters[LAYER + "expand.weight"].mT)
        self.hidden.relu_()
        if block.units is not None:
            self.hidden *= block.units
        bias = parameters[LAYER + "contract.bias"].unsqueeze(1)
        self.final = torch.baddbmm(bias, self.hidden, parameters[LAYER + "contract.weight"].mT)
        self.final += self.stream

    def outputs(self, parameters: Views) -> Tensor:
        return self.final @ parameters["unembed.weight"].mT

    def backward(
        self, slope: Tensor, parameters: Views, gradients: Views, into: TableGradient
    ) -> None:
        """Add this block's share; `slope` is d(loss)/d(outputs) [runs, examples, outputs]."""
        gradients["unembed.weight"].baddbmm_(slope.mT, self.final)
        stream = slope @ parameters["unembed.weight"]
        gradients[LAYER + "contract.weight"].baddbmm_(stream.mT, self.hidden)
        gradients[LAYER + "contract.bias"].add_(stream.sum(1))
        hidden = stream @ parameters[LAYER + "contract.weight"]
        # Units that gave nothing pass nothing back: those below zero, and other parts' units.
        torch.ops.aten.threshold_backward(hidden, self.hidden, 0, grad_input=hidden)
        gradients[LAYER + "expand.weight"].baddbmm_(hidden.mT, self.stream)
        gradients[LAYER + "expand.bias"].add_(hidden.sum(1))
        stream.baddbmm_(hidden, parameters[LAYER + "expand.weight"])
        gradients[LAYER + "output.weight"].baddbmm_(stream.mT, self.mixed)
        into.end += stream.sum(1, keepdim=True)
        self._backward_attention(stream @ parameters[LAYER + "output.weight"], into)

    def _backward_attention(self, mixed: Tensor, into: TableGradient) -> None:
        """`mixed` [runs, examples, width] → gradients of the rows' values and scores."""
        table = self.table
        seen = (self.values.mul_(mixed) @ table.spread.mT, (mixed @ table.end_values.mT)[None])
        scores = torch.cat(seen).mul_(self.attention)
        scores -= self.attention * scores.sum(0)
        into.scores[:, table.rows.last] += scores[-1].sum(1)
        into.end_values.baddbmm_(self.attention[-1].mT, mixed)
        self.scatter.add(scores[:-1].flatten(0, 2), into.scores.flatten(0, 1))
        self.scatter.add(self.spread.mul_(mixed).flatten(0, 2), into.values.flatten(0, 1))


class TableGradient:
    """Gradients of the table's rows, gathered from all examples, and their backward pass."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.values, self.scores = torch.zeros_like(table.values), torch.zeros_like(table.scores)
        self.end, self.end_values = torch.zeros_like(table.end), torch.zeros_like(table.end_values)

    def backward(self, parameters: Views, gradients: Views) -> None:
        table = self.table
        self.values[:, table.rows.last] += (self.end_values * table.spread).sum(1)
        scores = (self.scores * table.scale) @ table.spread
        keys = scores * table.query
        query = (scores * table.keys).sum(1, keepdim=True)
        gradients[LAYER + "key.weight"].baddbmm_(keys.mT, table.embeddings)
        gradients[LAYER + "value.weight"].baddbmm_(self.values.mT, table.embeddings)
        gradients[LAYER + "query.weight"].baddbmm_(query.mT, table.end)
        embeddings = keys @ parameters[LAYER + "key.weight"]
        embeddings.baddbmm_(self.values, parameters[LAYER + "value.weight"])
        embeddings[:, table.rows.last :] += self.end + query @ parameters[LAYER + "query.weight"]
        for i, span in enumerate(table.rows.spans):
            # A token has one row at a position: no two of them add to the same place at once.
            tokens = table.rows.tokens[span]
            gradients["tokens.weight"].index_add_(1, tokens, embeddings[:, span])
            gradients["positions.weight"][:, i] += embeddings[:, span].sum(1)
