"""The contract of an optimizer: one step for a whole stack of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from grokbench.definition import Definition


class Optimizer(Definition, ABC):
    """Turns gradients into new parameters, for all the runs of a stack at once.

    Everything is flat: one row a run, one column a parameter. Rows must not mix (a run is the
    same whatever stands beside it), and nothing may be read back from the device. What an
    optimizer remembers it keeps in attributes: tensors made in `start` and changed in place by
    `step`, with a row a run where they have two dimensions or more. A step changes nothing else,
    because it may be captured once and replayed. An attribute whose name begins with an underscore
    is a space to work in: what it holds from one step to the next is not kept in checkpoints.
    """

    @abstractmethod
    def start(self, parameters: Tensor) -> None:
        """Make the state for `parameters` [runs, parameters]; called once, before the first step."""

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
            learning_rate: [runs, 1], warm-up included.
            weight_decay: [runs, parameters]; zero where the recipe does not decay.
            count: [] float64: the number of this step, from 1.
        """

    def state(self) -> dict[str, Any]:
        """All attributes but the options and `_` ones, for a checkpoint."""
        return {
            name: value
            for name, value in vars(self).items()
            if name != "options" and not name.startswith("_")
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; called after `start`.

        Raises:
            ValueError: another optimizer's state, or an older one's, that had other attributes.
        """
        made = self.state()
        if shapes(made) != shapes(state):
            raise ValueError(f"{self.name} keeps {shapes(made)}, and was given {shapes(state)}")
        for name, value in state.items():
            if isinstance(value, Tensor):
                made[name].copy_(value)
            else:
                setattr(self, name, value)


def shapes(state: Mapping[str, Any]) -> dict[str, str]:
    """What tells one optimizer's state from another's, in words."""
    return {
        name: f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else "no tensor"
        for name, value in sorted(state.items())
    }
