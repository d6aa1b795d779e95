"""The contract of an optimizer: one step for a whole stack of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from grokbench.definition import Definition


class Optimizer(Definition, ABC):
    """Turns gradients into new parameters, for all runs of a stack at once.

    Parameters and gradients are flat tensors with one row for each run and one column for each
    parameter. Rows must not mix: a run must train as if it were alone. No value may be read back
    from the device, because reading waits for the device.

    An optimizer keeps its state in attributes: tensors that `start` makes and `step` changes in
    place, with one row for each run where they have two dimensions or more. A step changes nothing
    else, because it may be captured once and replayed. An attribute whose name begins with an
    underscore is working space, and is not kept in checkpoints.
    """

    @abstractmethod
    def start(self, parameters: Tensor) -> None:
        """Make the state for `parameters` [runs, parameters]; called before the first step."""

    @abstractmethod
    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        """Update `parameters` in place.

        Args:
            parameters: [runs, parameters].
            gradients: [runs, parameters]; may be overwritten.
            learning_rate: [runs, 1], with the warm-up factor.
            weight_decay: [runs, parameters]; zero where the recipe does not decay.
            count: [] float64, the number of this step, counted from 1.
        """

    def state(self) -> dict[str, Any]:
        """All attributes but the options and those with an underscore, for a checkpoint."""
        return {
            name: value
            for name, value in vars(self).items()
            if name != "options" and not name.startswith("_")
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave; called after `start`.

        Raises:
            ValueError: the state has other attributes: it belongs to another optimizer, or to an
                older version of this one.
        """
        own = self.state()
        if shapes(own) != shapes(state):
            raise ValueError(f"{self.name} keeps {shapes(own)}, and was given {shapes(state)}")
        for name, value in state.items():
            if isinstance(value, Tensor):
                own[name].copy_(value)
            else:
                setattr(self, name, value)


def shapes(state: Mapping[str, Any]) -> dict[str, str]:
    """The type and shape of every attribute, in words."""
    return {
        name: f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else "no tensor"
        for name, value in sorted(state.items())
    }
