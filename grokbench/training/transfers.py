"""Small tensors copied from the device to the host while the device goes on computing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Transfers:
    """Tensors of one shape on the CPU, in the order in which they were added.

    A copy from a GPU arrives after some time. `latest` gives the tensor before the last, which has
    arrived unless the host is far ahead, so that the device never waits for the host to look.
    """

    def __init__(self, former: Sequence[Tensor] = ()) -> None:
        self._tensors = list(former)
        self._arrivals: list[Any] = [None] * len(self._tensors)

    def add(self, tensor: Tensor) -> None:
        """Begin to copy `tensor`, which may be overwritten afterwards."""
        on_gpu = tensor.device.type == "cuda"
        self._tensors.append(tensor.to("cpu", non_blocking=on_gpu, copy=True))
        self._arrivals.append(torch.cuda.current_stream().record_event() if on_gpu else None)

    def latest(self) -> Tensor:
        """The newest tensor that is likely to have arrived."""
        # On a GPU the newest copy is probably still on its way.
        late = self._arrivals[-1] is not None and len(self._tensors) > 1
        return self._arrived(len(self._tensors) - (2 if late else 1))

    def all(self) -> list[Tensor]:
        """Every tensor, after waiting for the last."""
        return [self._arrived(index) for index in range(len(self._tensors))]

    def _arrived(self, index: int) -> Tensor:
        if self._arrivals[index] is not None:
            self._arrivals[index].synchronize()
        return self._tensors[index]
