"""Which training examples each step uses, where a recipe has a batch size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from grokbench.randomness import Streams
from grokbench.record import Run

WINDOW = 32
"""The batches of this many steps lie ready on the device. At least as many as are asked for at once
(`graphs.STRIDE`); more would need more memory and save little."""


class Epochs:
    """The batches of one run, epoch by epoch: each epoch is all examples in an order of its own.

    The order of an epoch comes from the run's own random stream for this epoch. So a batch follows
    from the run's seed and the number of the step, whatever was drawn before.

    Args:
        seed: of the run.
        examples: how many training examples the run has.
        size: the examples of a batch. The last batch of an epoch has what is left.

    Attributes:
        size: the same, but at most all examples.
        length: the number of batches in an epoch.
    """

    def __init__(self, seed: int, examples: int, size: int) -> None:
        self.streams, self.examples, self.size = Streams(seed), examples, min(size, examples)
        self.length = -(-examples // self.size)
        self.last = examples - (self.length - 1) * self.size
        self.epoch, self.table = -1, torch.empty(0, dtype=torch.int64)

    def of(self, epoch: int) -> Tensor:
        """The batches of an epoch, [length, size]; the last is filled up with its first example."""
        if epoch != self.epoch:
            order = torch.randperm(self.examples, generator=self.streams(f"batches:{epoch}"))
            filled = order[-self.last].repeat(self.length * self.size)
            filled[: self.examples] = order
            self.epoch, self.table = epoch, filled.view(self.length, self.size)
        return self.table

    def fill(self, first: int, rows: Tensor, sizes: Tensor) -> None:
        """Write the batches of consecutive steps.

        Args:
            first: the number of steps before them.
            rows: [steps, size or more]. Columns past a batch's size get some example of the run.
            sizes: [steps], the size of each batch.
        """
        step, end = first, first + len(rows)
        while step < end:
            epoch, place = divmod(step, self.length)
            table = self.of(epoch)[place : place + end - step]
            here = slice(step - first, step - first + len(table))
            rows[here] = table[:, :1]
            rows[here, : self.size] = table
            sizes[here] = self.size
            if place + len(table) == self.length:
                sizes[here.stop - 1] = self.last
            step += len(table)


class Batches:
    """The next batches of every run of a stack, on the device that trains.

    A run's batches do not depend on the other runs. Runs with fewer examples have shorter epochs.

    Args:
        runs: of one batch size.
        counts: how many training examples each run has.
        like: a tensor of the type and on the device of the parameters.
    """

    def __init__(self, runs: Sequence[Run], counts: Sequence[int], like: Tensor) -> None:
        size = runs[0].recipe.batch_size
        assert size is not None
        self.epochs = [Epochs(r.seed, count, size) for r, count in zip(runs, counts, strict=True)]
        self.width, self.dtype, self.device = (
            max(e.size for e in self.epochs),
            like.dtype,
            like.device,
        )
        shape = (WINDOW, len(runs))
        self.rows = torch.zeros(*shape, self.width, dtype=torch.int64, device=self.device)
        self.sizes = torch.ones(shape, dtype=torch.int64, device=self.device)
        self.columns = torch.arange(self.width, device=self.device)
        # A tensor that each step increments: a captured step would repeat a Python number.
        self.place = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.first = 0
        self._fill()

    def prepare(self, taken: int, steps: int) -> None:
        """Have the batches of the next steps ready, at most WINDOW of them.

        Args:
            taken: the number of steps taken so far.
            steps: how many are taken before the next call.
        """
        if not self.first <= taken <= self.first + WINDOW - steps:
            self.first = taken
            self._fill()
        self.place.fill_(taken - self.first)

    def next(self) -> tuple[Tensor, Tensor]:
        """The examples of the next step, [runs, width] int64, and their weights, [runs, width].

        An example of a batch weighs 1 / the batch's size, and padding weighs nothing. Changes
        tensors in place alone, so that a step can be captured.
        """
        rows, sizes = (one.index_select(0, self.place)[0] for one in (self.rows, self.sizes))
        self.place += 1
        sizes = sizes.unsqueeze(1)
        return rows, ((self.columns < sizes).double() / sizes).to(self.dtype)

    def _fill(self) -> None:
        """Copy the batches of WINDOW steps to the device."""
        # Pinned memory: the copy waits for the steps before it, and the host does not.
        pinned = self.device.type == "cuda"
        rows = torch.empty(self.rows.shape, dtype=torch.int64, pin_memory=pinned)
        sizes = torch.empty(self.sizes.shape, dtype=torch.int64, pin_memory=pinned)
        for run, epochs in enumerate(self.epochs):
            epochs.fill(self.first, rows[:, run], sizes[:, run])
        self.rows.copy_(rows, non_blocking=pinned)
        self.sizes.copy_(sizes, non_blocking=pinned)
