"""The contract of an optimizer: one step for a whole stack of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from grokbench.definition import Definition


class Optimizer(Definition, ABC):
    """Turns gradients into new parameters, for all the runs of a stack at once.

    Everything is flat: one row a run, one column a parameter. Rows must not mix (a run is the
    same whatever stands beside it), and nothing may be read back from the device. Where a run
    keeps state, make it in `start`.
    """

    @abstractmethod
    def start(self, parameters: Tensor) -> None:
        """Make the state for `parameters` [runs, parameters]; called once, before the first step."""

    @abstractmethod
    def step(
        self, parameters: Tensor, gradients: Tensor, learning_rate: Tensor, weight_decay: Tensor
    ) -> None:
        """Update `parameters` in place.

        Args:
            parameters: [runs, parameters].
            gradients: [runs, parameters]; may be overwritten.
            learning_rate: [runs, 1], warm-up included.
            weight_decay: [runs, parameters]; zero where the recipe does not decay.
        """
