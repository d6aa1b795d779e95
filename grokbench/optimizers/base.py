"""The contract of an optimizer: one step for a whole stack of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor

from grokbench.architectures.base import Views, views
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

    Attributes:
        shapes: the name and the shape of each parameter of one run, in the order of the columns.
            The trainer sets `shapes` before it calls `start`.
    """

    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({})

    def views(self, flat: Tensor) -> Views:
        """A flat tensor as {name: [runs, *shape]}, sharing its memory.

        Args:
            flat: parameters, gradients or anything else of their shape [runs, parameters].
        """
        return views(flat, self.shapes)

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
        """What a checkpoint keeps: all attributes but options, shapes and those with an underscore."""
        return {
            name: value
            for name, value in vars(self).items()
            if name not in {"options", "shapes"} and not name.startswith("_")
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave; called after `start`.

        Raises:
            ValueError: the state has other attributes: it belongs to another optimizer, or to an
                older version of this one.
        """
        own = self.state()
        kept, given = in_words(own), in_words(state)
        if kept != given:
            raise ValueError(f"{self.name} keeps {kept}, and was given {given}")
        for name, value in state.items():
            if isinstance(value, Tensor):
                own[name].copy_(value)
            else:
                setattr(self, name, value)


def in_words(state: Mapping[str, Any]) -> dict[str, str]:
    """The type and shape of every attribute, in words."""
    return {
        name: f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else "no tensor"
        for name, value in sorted(state.items())
    }
