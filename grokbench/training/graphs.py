"""CUDA graphs: everything that captures is here.

A step of tiny models is some hundred small kernels, and launching them takes longer than running
them. A captured graph of many steps is launched at once. What is captured must change nothing but
tensors, in place, and must never wait for the device.

The first steps are taken as they come, on a stream beside, because libraries make their plans and
buffers then; they are real steps of the training, not rehearsals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

STRIDE = 25
"""Steps in one graph."""

CAPTURING = threading.Lock()
"""One lane captures at a time: to begin waits for the device, which no other may capture on then."""

WARM_UP = 3
"""Steps taken before capturing, as torch's notes on CUDA graphs advise."""


class Graphs:
    """Steps and evaluations, replayed.

    Where capturing raises (a module that waits for the device, say), `advance` and `evaluate` go
    on as they come, and `refused` says why.

    Args:
        step: takes one step.
        evaluate: gives a tensor of constant shape.
        cuda: `torch.cuda`, or what stands in for it in a test.
    """

    stride = STRIDE

    def __init__(
        self, step: Callable[[], None], evaluate: Callable[[], Tensor], cuda: Any = torch.cuda
    ) -> None:
        self.step, self.compute, self.cuda = step, evaluate, cuda
        self.beside = cuda.Stream()
        self.pool = cuda.graph_pool_handle()
        self.refused = ""
        self.warm = 0
        self.one: Any = None
        self.many: Any = None
        self.evaluation: Any = None
        self.judged: Tensor | None = None

    def advance(self, steps: int) -> None:
        """Take so many steps."""
        while steps and (self.warm < WARM_UP or not self._ready()):
            self._beside(self.step)
            self.warm, steps = self.warm + 1, steps - 1
        for _ in range(steps // STRIDE):
            self.many.replay()
        for _ in range(steps % STRIDE):
            self.one.replay()

    def evaluate(self) -> Tensor:
        """The evaluation as things stand; overwritten by the next call."""
        if self.judged is None or self.refused:
            self.judged = self._beside(self.compute)
        elif self.evaluation is None:
            self.evaluation, self.judged = self._captured(self.compute)
            return self.evaluate()
        else:
            self.evaluation.replay()
        assert self.judged is not None
        return self.judged

    def _ready(self) -> bool:
        """Whether there are graphs of steps; captures them at the first asking."""
        if self.one is None and not self.refused:
            self.one, _ = self._captured(self.step)
            if not self.refused:
                self.many, _ = self._captured(lambda: [self.step() for _ in range(STRIDE)])
        return not self.refused

    def _captured(self, what: Callable[[], Any]) -> tuple[Any, Any]:
        """A graph of `what`, and what it gives; capturing runs nothing on the device."""
        graph = self.cuda.CUDAGraph()
        try:
            with (
                CAPTURING,
                self.cuda.graph(
                    graph, pool=self.pool, stream=self.beside, capture_error_mode="thread_local"
                ),
            ):
                given = what()
        except RuntimeError as error:
            self.refused = str(error).split("\n", maxsplit=1)[0]
            return None, None
        return graph, given

    def _beside(self, what: Callable[[], Any]) -> Any:
        """Run `what` on the stream beside, in its turn."""
        self.beside.wait_stream(self.cuda.current_stream())
        with self.cuda.stream(self.beside):
            given = what()
        self.cuda.current_stream().wait_stream(self.beside)
        return given
