"""How steps are executed: as they come, or captured in CUDA graphs."""

from __future__ import annotations

from torch import Tensor

from grokbench.training.descent import Descent
from grokbench.training.graphs import Graphs


class Execution:
    """Each operation as it comes.

    Attributes:
        stride: the most steps to ask for at once; between two askings a loop may look around.
    """

    stride = 1

    def __init__(self, descent: Descent) -> None:
        self.descent = descent

    def advance(self, steps: int) -> None:
        """Take so many steps, at most `stride`."""
        for _ in range(steps):
            self.descent.step()
        self.descent.taken += steps

    def evaluate(self) -> Tensor:
        """See `Descent.evaluate`; valid until the next call."""
        return self.descent.evaluate()


class Captured(Execution):
    """Steps and evaluations replayed from CUDA graphs (see `graphs`)."""

    def __init__(self, descent: Descent) -> None:
        super().__init__(descent)
        self.graphs = Graphs(descent.step, descent.evaluate)
        self.stride = self.graphs.stride

    def advance(self, steps: int) -> None:
        self.graphs.advance(steps)
        self.descent.taken += steps

    def evaluate(self) -> Tensor:
        return self.graphs.evaluate()


def execution_of(descent: Descent) -> Execution:
    """The fastest way that the descent's device, program and optimizer allow."""
    if descent.device.type == "cuda" and descent.program.capturable:
        return Captured(descent)
    return Execution(descent)
