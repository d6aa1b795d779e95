"""One run after the other, as anyone would write it in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from benchmarks.setting import BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Start
from benchmarks.timing import synchronize
from grokbench.record import Run


class PlainLoop:
    """A transformer of `torch.nn` modules over all three positions, autograd, `torch.optim`."""

    def __init__(self, runs: Sequence[Run], device: str = "cpu") -> None:
        start = Start.of(runs[:1])
        self.runs, self.device = 1, device
        self.model = start.models[0].to(device)
        self.inputs, self.labels = start.inputs[0].to(device), start.labels[0].to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY
        )

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(self.inputs), self.labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        synchronize(self.device)

    def loss(self) -> float:
        with torch.no_grad():
            outputs = self.model(self.inputs).double()
        return float(functional.cross_entropy(outputs, self.labels))
