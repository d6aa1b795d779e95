"""The exact token-factored form of a one-layer transformer, for a stack of runs.

Only the output at the last position is used, and the last token is the same in every example. So
a run has one query vector, and keys, values and attention scores depend on (token, position) alone.
They are tables with a row for each token at each position (2P + 1 rows for `a b =`), not tensors
over examples. For each example, only a weighted sum of table rows, the feed-forward network and the
unembedding are computed. The function and its gradients are those of `Transformer` up to rounding.

With hidden size d, the number of operations in d² shrinks to about a quarter. For three tokens, the
plain module multiplies with 12 d² weights at each position (attention 4 d², feed-forward network
8 d²), with two operations in the forward and four in the backward pass: 216 d² for each example and
step. Here 9 d² weights are left for each example, which is 54 d², and the table of P = 113 takes
2730 d² for all examples together.

The softmax is taken for each example with the example's own maximum. A maximum that is shared by
the whole table would underflow for pairs whose scores all lie far below it.

The backward pass is written out. So examples can pass in blocks that fit into the cache, and the
gradients of weight matrices are accumulated in place by matrix products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.architectures.base import Batch, Program, Views
from grokbench.architectures.token_rows import TokenRows
from grokbench.per_device import PerDevice
from grokbench.tasks.judging import Judgement

BLOCK_BYTES = PerDevice(cpu=2**20, cuda=2**28)
"""The size of one block's hidden activations, in bytes. On a CPU about the second-level cache of a
core. On a GPU an estimate, not measured: large, so that few blocks are started."""

SMALLEST_BLOCK = 64
"""A block has at least this many examples, however wide the network is."""

LAYER = "layers.0."
"""The prefix of the names of the only layer's parameters."""


class DeterministicIndexAdd:
    """Adds values to the places of a table that an index names, in the same order every time.

    The index is constant, so its order is computed once. Then each place gathers its own values.
    `Tensor.index_add_` adds atomically on a GPU, in any order, and is slower on a CPU.

    Args:
        index: [values] int64, the place of each value.
        places: the number of places in the table.
    """

    def __init__(self, index: Tensor, places: int) -> None:
        self.order = index.argsort(stable=True)
        each = torch.arange(places, device=index.device)
        self.starts = torch.searchsorted(index[self.order], each)

    def overwrite(self, other: DeterministicIndexAdd) -> None:
        """Become an addition to the places of another index, of the same length."""
        self.order.copy_(other.order)
        self.starts.copy_(other.starts)

    def add(self, values: Tensor, into: Tensor) -> None:
        """Add `values` [values, width] to `into` [places, width]."""
        # A bag is a place: the values from its start to the next place's start, in sorted order.
        into += functional.embedding_bag(self.order, values, self.starts, mode="sum")


@dataclass(frozen=True, eq=False)
class Block:
    """Some of a batch's examples.

    Attributes:
        index: [length − 1, runs, examples], the table row of each token but the last.
        index_add: adds a gradient for each entry of `index` to the gradient of the table.
        labels: [runs, examples].
        weights: [runs, examples].
        units: [runs, examples, hidden], one for each hidden unit that serves the example and zero
            for the others; None where all units serve all examples.
    """

    index: Tensor
    index_add: DeterministicIndexAdd
    labels: Tensor
    weights: Tensor
    units: Tensor | None

    def overwrite(self, other: Block) -> None:
        """Copy other examples, as many, into this block."""
        self.index.copy_(other.index)
        self.index_add.overwrite(other.index_add)
        self.labels.copy_(other.labels)
        self.weights.copy_(other.weights)
        if self.units is not None and other.units is not None:
            self.units.copy_(other.units)


class FactoredTransformer(Program):
    """Gradients and outputs in the token-factored form: see the module's docstring.

    Exact for one layer without layer norm whose examples all end with the same token.

    Args:
        heads: attention heads.
        units: [parts, hidden], which hidden units serve which part; None where all serve all.
    """

    takes_batches = True

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
        self.every: Batch | None = None
        self.blocks: dict[str, list[Block]] = {}
        self.rows = TokenRows.of(train.inputs, evaluation.inputs)

    def select(self, rows: Tensor, weights: Tensor) -> None:
        if self.every is None:
            self.every = self.batches["train"]
        picked = self.every.pick(rows, weights)
        if "train" not in self.blocks:
            self.batches["train"] = picked
            return
        blocks = self.blocks["train"]
        fresh = self._cut(picked, blocks[0].index.shape[2])
        for block, other in zip(blocks, fresh, strict=True):
            block.overwrite(other)

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
        """The blocks of a batch, made at the first use: only `parameters` tell the hidden width."""
        if name not in self.blocks:
            batch = self.batches.pop(name)
            widest = parameters[LAYER + "expand.weight"]
            runs, hidden = widest.shape[:2]
            bytes_each = runs * hidden * widest.element_size()
            length = max(SMALLEST_BLOCK, BLOCK_BYTES[widest.device.type] // bytes_each)
            self.blocks[name] = self._cut(batch, length)
        return self.blocks[name]

    def _cut(self, batch: Batch, length: int) -> list[Block]:
        """A batch in blocks of this length; the last block may be shorter."""
        index = self.rows.index(batch.inputs)[:-1]
        units = None if self.units is None else self.units.to(batch.weights)
        places = index.shape[1] * len(self.rows.tokens)
        return [
            Block(
                index[:, :, cut].contiguous(),
                DeterministicIndexAdd(index[:, :, cut].flatten(), places),
                batch.labels[:, cut].contiguous(),
                batch.weights[:, cut].contiguous(),
                None if units is None else units[batch.part[:, cut]],
            )
            for start in range(0, index.shape[2], length)
            for cut in [slice(start, start + length)]
        ]


class Table:
    """What depends on (token, position) alone: embeddings, keys, values and scores of every row.

    With x the embedding of a row and x_T that of the last position, for each head of width d_h:
    k = W_K x, v = W_V x, q = W_Q x_T, score = q·k / √d_h.

    Attributes:
        embeddings, keys, values: [runs, rows, width].
        scores: [runs, rows, heads].
        end: the embedding of the last position, [runs, 1, width].
        query: the query of the last position, [runs, 1, width].
        spread: [heads, width], one where a column belongs to a head. `@ spread` repeats a number of
            each head over the head's width, and `@ spread.mT` sums over the width of each head.
        end_values: the value of the last position, split by heads: [runs, heads, width].
    """

    def __init__(self, parameters: Views, rows: TokenRows, heads: int) -> None:
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

    Attention is kept position by position ([length, runs, examples, heads]), and a number of each
    head is repeated over the head's width by a product with `Table.spread`. Both keep the innermost
    loops long where a head is only two numbers wide.

    Attributes:
        values: of all positions but the last, [length − 1, runs, examples, width].
        spread: the attention to all positions but the last, repeated over each head's width, in the
            shape of `values`. `backward` overwrites both.
        mixed, stream, final: [runs, examples, width].
        hidden: [runs, examples, hidden].
    """

    def __init__(self, parameters: Views, table: Table, block: Block) -> None:
        earlier, runs, count = block.index.shape
        self.table, self.index_add, self.flat = table, block.index_add, block.index.view(-1)
        width, heads = table.values.shape[2], table.scores.shape[2]
        # attention = softmax over positions of the scores of the example's rows
        scores = table.scores.view(-1, heads).index_select(0, self.flat)
        end = table.scores[:, table.rows.last :].expand(1, runs, count, heads)
        self.attention = torch.cat([scores.view(earlier, runs, count, heads), end]).softmax(0)
        # mixed = sum over positions of attention · value; the last position's value is constant
        self.values = table.values.view(-1, width).index_select(0, self.flat)
        self.values = self.values.view(earlier, runs, count, width)
        self.spread = self.attention[:-1] @ table.spread
        self.mixed = self.attention[-1] @ table.end_values
        for i in range(earlier):
            self.mixed.addcmul_(self.spread[i], self.values[i])
        # stream = x_T + W_O mixed
        self.stream = torch.baddbmm(table.end, self.mixed, parameters[LAYER + "output.weight"].mT)
        # hidden = relu(W_1 stream + b_1)
        bias = parameters[LAYER + "expand.bias"].unsqueeze(1)
        self.hidden = torch.baddbmm(bias, self.stream, parameters[LAYER + "expand.weight"].mT)
        self.hidden.relu_()
        if block.units is not None:
            self.hidden *= block.units
        # final = stream + W_2 hidden + b_2
        bias = parameters[LAYER + "contract.bias"].unsqueeze(1)
        self.final = torch.baddbmm(bias, self.hidden, parameters[LAYER + "contract.weight"].mT)
        self.final += self.stream

    def outputs(self, parameters: Views) -> Tensor:
        """The logits U · final: [runs, examples, outputs]."""
        return self.final @ parameters["unembed.weight"].mT

    def backward(
        self, slope: Tensor, parameters: Views, gradients: Views, into: TableGradient
    ) -> None:
        """Add this block's share to `gradients` and to the gradient of the table.

        The chain rule through `__init__`, from its last line to its first. For y = W x, the
        gradient of W is the sum over examples of (dL/dy) xᵀ, and dL/dx = Wᵀ dL/dy.

        Args:
            slope: d(loss)/d(outputs), [runs, examples, outputs].
        """
        gradients["unembed.weight"].baddbmm_(slope.mT, self.final)
        stream = slope @ parameters["unembed.weight"]  # d(loss)/d(final)
        gradients[LAYER + "contract.weight"].baddbmm_(stream.mT, self.hidden)
        gradients[LAYER + "contract.bias"].add_(stream.sum(1))
        hidden = stream @ parameters[LAYER + "contract.weight"]
        # Units that gave zero pass nothing back: inactive units, and units of other parts.
        torch.ops.aten.threshold_backward(hidden, self.hidden, 0, grad_input=hidden)
        gradients[LAYER + "expand.weight"].baddbmm_(hidden.mT, self.stream)
        gradients[LAYER + "expand.bias"].add_(hidden.sum(1))
        # The stream enters `final` directly and through the hidden units.
        stream.baddbmm_(hidden, parameters[LAYER + "expand.weight"])
        gradients[LAYER + "output.weight"].baddbmm_(stream.mT, self.mixed)
        into.end += stream.sum(1, keepdim=True)
        self._backward_attention(stream @ parameters[LAYER + "output.weight"], into)

    def _backward_attention(self, mixed: Tensor, into: TableGradient) -> None:
        """Add to the gradients of the rows' values and scores.

        For m = Σᵢ aᵢ vᵢ and a = softmax(s): dL/daᵢ = vᵢ · dL/dm, dL/dvᵢ = aᵢ dL/dm, and
        dL/dsᵢ = aᵢ (dL/daᵢ − Σⱼ aⱼ dL/daⱼ).

        Args:
            mixed: d(loss)/d(mixed), [runs, examples, width].
        """
        table = self.table
        seen = (self.values.mul_(mixed) @ table.spread.mT, (mixed @ table.end_values.mT)[None])
        scores = torch.cat(seen).mul_(self.attention)
        scores -= self.attention * scores.sum(0)
        into.scores[:, table.rows.last] += scores[-1].sum(1)
        into.end_values.baddbmm_(self.attention[-1].mT, mixed)
        self.index_add.add(scores[:-1].flatten(0, 2), into.scores.flatten(0, 1))
        self.index_add.add(self.spread.mul_(mixed).flatten(0, 2), into.values.flatten(0, 1))


class TableGradient:
    """The gradient of the table, summed over all examples, and its backward pass."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.values, self.scores = torch.zeros_like(table.values), torch.zeros_like(table.scores)
        self.end, self.end_values = torch.zeros_like(table.end), torch.zeros_like(table.end_values)

    def backward(self, parameters: Views, gradients: Views) -> None:
        """Add the table's share to `gradients`: the chain rule through `Table.__init__`."""
        table = self.table
        self.values[:, table.rows.last] += (self.end_values * table.spread).sum(1)
        scores = (self.scores * table.scale) @ table.spread
        # score = q·k / √d_h. For each row, dL/dk = dL/dscore q / √d_h. The query is common to all
        # rows: dL/dq = Σ over rows of dL/dscore k / √d_h.
        keys = scores * table.query
        query = (scores * table.keys).sum(1, keepdim=True)
        gradients[LAYER + "key.weight"].baddbmm_(keys.mT, table.embeddings)
        gradients[LAYER + "value.weight"].baddbmm_(self.values.mT, table.embeddings)
        gradients[LAYER + "query.weight"].baddbmm_(query.mT, table.end)
        embeddings = keys @ parameters[LAYER + "key.weight"]
        embeddings.baddbmm_(self.values, parameters[LAYER + "value.weight"])
        # x_T is also the start of the residual stream, and the source of the query.
        embeddings[:, table.rows.last :] += self.end + query @ parameters[LAYER + "query.weight"]
        for i, span in enumerate(table.rows.spans):
            # A token has one row at a position, so no two rows of a span add to the same place:
            # here `index_add_` has a fixed order on a GPU too.
            tokens = table.rows.tokens[span]
            gradients["tokens.weight"].index_add_(1, tokens, embeddings[:, span])
            gradients["positions.weight"][:, i] += embeddings[:, span].sum(1)
