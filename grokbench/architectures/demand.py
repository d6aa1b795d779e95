"""What one example costs a module: multiplications, and numbers that are kept for the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


@dataclass(frozen=True)
class Demand:
    """What one example costs in a forward pass.

    Attributes:
        multiplications: by weights: as many as there are parameters, but a weight of a convolution counts
            once for each pixel.
        kept: the numbers that are kept until the gradient is computed, without the parameters.
    """

    multiplications: int
    kept: int


def demand_of(model: nn.Module, *arguments: Tensor) -> Demand:
    """Count what a forward pass does.

    Args:
        arguments: of `forward`, with one row for each example.

    Raises:
        Exception: whatever the module raises.
    """
    count = len(arguments[0])
    own = {tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}
    pixels: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = max(tensor.numel(), kept.get(tensor.data_ptr(), 0))
        return tensor

    def look(module: nn.Module, _given: Any, outputs: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        # The last dimensions of a convolution's outputs are the places where its weights are used.
        pixels[id(weight)] = outputs.numel() // (count * len(weight))

    convolutions = [
        one for one in model.modules() if isinstance(one, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    handles = [one.register_forward_hook(look) for one in convolutions]
    try:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = model(*arguments)
    finally:
        for handle in handles:
            handle.remove()
    del outputs  # until here its graph was alive, so that no two kept tensors had the same address
    multiplications = sum(
        weight.numel() * pixels.get(id(weight), 1) for weight in model.parameters()
    )
    return Demand(multiplications, sum(kept.values()) // count)
