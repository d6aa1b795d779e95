"""The exact prefix form of a causal transformer of any depth, for a stack of runs.

What a causal transformer computes at a position depends on the tokens up to that position alone,
and many examples share a prefix: the P² questions `a b =` have P prefixes of one token. So each
different prefix goes through the layers once, and its keys and values are kept. (Servers of
language models do the same with a prompt that many requests share.) For each example only the
positions after the prefix go through the layers. Two more savings: embeddings, queries, keys and
values of the first layer depend on (token, position) alone and are a table; in the last layer, all
but keys and values is computed for the last position only. The function and its gradients are those
of `Transformer` up to rounding.

The backward pass is autograd's, one block of examples at a time, so that the activations of only
one block are kept. The gradients of tables, keys and values are summed over blocks. The sums then
go back through the prefixes once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from grokbench.architectures.base import Batch, Program, Views
from grokbench.architectures.shared_prefixes import Sequences, split_prefixes
from grokbench.architectures.stacked_layers import Design, Layers
from grokbench.architectures.token_rows import TokenRows
from grokbench.per_device import PerDevice
from grokbench.tasks.judging import Judgement

BLOCK_BYTES = PerDevice(cpu=2**28, cuda=2**33)
"""About how much memory one block of examples may keep for its backward pass, in bytes."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some of a batch's examples."""

    sequences: Sequences
    labels: Tensor
    weights: Tensor

    def overwrite(self, other: Block) -> None:
        """Copy other examples, as many, into this block."""
        for mine, others in ((self, other), (self.sequences, other.sequences)):
            for name, value in vars(mine).items():
                if isinstance(value, Tensor):
                    value.copy_(getattr(others, name))


class PrefixTransformer(Program):
    """Gradients and outputs in the prefix form: see the module's docstring."""

    autocasts = True
    takes_batches = True

    def __init__(
        self, design: Design, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> None:
        if design.units is not None:
            design = replace(design, units=design.units.to(train.weights))
        self.design, self.judgement = design, judgement
        self.rows = TokenRows.of(train.inputs, evaluation.inputs)
        self.prefixes, training, evaluated = split_prefixes(
            self.rows, (train, evaluation), design.layers, by_part=design.units is not None
        )
        self.every, self.selecting = (train, training), False
        self.train = blocks(design, train, training)
        self.evaluation = blocks(design, evaluation, evaluated)

    def select(self, rows: Tensor, weights: Tensor) -> None:
        batch, sequences = self.every
        fresh = blocks(self.design, batch.pick(rows, weights), sequences.pick(rows))
        if not self.selecting:
            self.train, self.selecting = fresh, True
            return
        for block, other in zip(self.train, fresh, strict=True):
            block.overwrite(other)

    def gradient(self, parameters: Views, gradients: Views) -> None:
        leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        inputs, into = list(leaves.values()), list(gradients.values())
        with torch.enable_grad():
            prepared = Layers(self.design, leaves).prepare(self.rows, self.prefixes)
        # Cut autograd's graph between the shared tensors and the blocks. Each block adds its
        # gradient with respect to the shared tensors to `shared_into`; the sum then goes back once.
        shared = [value.detach().requires_grad_() for value in prepared]
        shared_into = [torch.zeros_like(value) for value in shared]
        for gradient in into:
            gradient.zero_()
        for block in self.train:
            with torch.enable_grad():
                outputs = self._forward(leaves, shared, block.sequences)
            slope = self._slope(outputs.detach(), block)
            add_gradients([outputs], [slope], [*inputs, *shared], [*into, *shared_into])
        add_gradients(prepared, shared_into, inputs, into)

    def outputs(self, parameters: Views) -> Tensor:
        with torch.no_grad():
            shared = Layers(self.design, parameters).prepare(self.rows, self.prefixes)
            found = [
                self._forward(parameters, shared, block.sequences) for block in self.evaluation
            ]
            return torch.cat(found, dim=1)

    def _forward(self, parameters: Views, shared: Sequence[Tensor], sequences: Sequences) -> Tensor:
        return Layers(self.design, parameters).outputs(shared, sequences)

    @property
    def compilable(self) -> bool:
        """On a CPU alone: compiled for a GPU, the gradient of `lookup` is added in any order."""
        return self.rows.tokens.device.type == "cpu"

    def compile(self) -> None:
        # The forward pass alone: `torch.autograd.grad` would break the graph of `gradient`.
        self._forward = torch.compile(self._forward, dynamic=False)  # type: ignore[method-assign]
        self.compiled = True

    def plain(self) -> None:
        self.__dict__.pop("_forward", None)
        self.compiled = False

    def _slope(self, outputs: Tensor, block: Block) -> Tensor:
        """d(loss)/d(outputs), in the precision of the parameters even under autocast."""
        with torch.no_grad(), torch.autocast(outputs.device.type, enabled=False):
            return self.judgement.gradient(outputs, block.labels, block.weights)


def blocks(design: Design, batch: Batch, sequences: Sequences) -> list[Block]:
    """The batch in blocks of equal length; the last block may be shorter.

    A block keeps about BLOCK_BYTES at most: `kept_numbers` is an estimate.
    """
    runs, positions, count = sequences.rows.shape
    bytes_each = kept_numbers(design, positions, sequences.earlier.shape[1])
    bytes_each *= runs * batch.weights.element_size()
    number = math.ceil(count * bytes_each / BLOCK_BYTES[batch.weights.device.type])
    length = math.ceil(count / number)
    return [
        Block(
            sequences.cut(cut),
            batch.labels[:, cut].contiguous(),
            batch.weights[:, cut].contiguous(),
        )
        for start in range(0, count, length)
        for cut in [slice(start, start + length)]
    ]


def kept_numbers(design: Design, positions: int, earlier: int) -> int:
    """About how many numbers one sequence keeps for its backward pass.

    Args:
        positions: of the sequence itself.
        earlier: positions of its prefix.
    """
    # In each layer: for each pair of query and key a product of the stream's width; for each
    # position some tensors of that width (more with layer norms); keys and values; hidden units.
    attended = sum(earlier + i + 1 for i in range(positions))
    streams = (6 if design.epsilon is None else 10) * positions + 2 * (positions + earlier)
    hidden = (1 if design.units is None else 2) * positions * design.hidden
    return design.layers * ((streams + attended) * design.width + hidden)


def add_gradients(
    outputs: Sequence[Tensor],
    slopes: Sequence[Tensor],
    inputs: Sequence[Tensor],
    into: Sequence[Tensor],
) -> None:
    """Add d(outputs · slopes)/d(inputs) to `into`."""
    found = torch.autograd.grad(outputs, inputs, slopes, allow_unused=True)
    for total, share in zip(into, found, strict=True):
        if share is not None:
            total += share
