"""CUDA graphs: everything that captures is here.

A step of tiny models is some hundred small kernels, and launching them takes longer than running
them. A captured graph of many steps is launched at once. What is captured must change nothing but
tensors, in place, and must never wait for the device.

The first steps are taken as they come, because libraries make their plans and buffers then; they are
real steps of the training, not rehearsals. All happens on the stream that is current, which must not
be the default one: CUDA captures none of that (`process.stream_of_its_own`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grokbench.training.process import ALONE, out_of_memory

STRIDE = 25
"""Steps in one graph."""

AHEAD = 2
"""How many graphs of steps may wait on the device: enough that it never waits for the host, and few
enough that a checkpoint or a stop is never far behind."""

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
        self.pool = cuda.graph_pool_handle()
        self.refused = ""
        self.warm = 0
        self.queued: deque[Any] = deque()
        self.one: Any = None
        self.many: Any = None
        self.evaluation: Any = None
        self.judged: Tensor | None = None

    def advance(self, steps: int) -> None:
        """Take so many steps."""
        while steps and (self.warm < WARM_UP or not self._ready()):
            self.step()
            self.warm, steps = self.warm + 1, steps - 1
        for _ in range(steps // STRIDE):
            self.many.replay()
            self._keep_up()
        for _ in range(steps % STRIDE):
            self.one.replay()

    def evaluate(self) -> Tensor:
        """The evaluation as things stand; overwritten by the next call."""
        if self.judged is None or self.refused:
            self.judged = self.compute()
        elif self.evaluation is None:
            self.evaluation, self.judged = self._captured(self.compute)
            return self.evaluate()
        else:
            self.evaluation.replay()
        assert self.judged is not None
        return self.judged

    def _keep_up(self) -> None:
        """Wait for what was launched AHEAD graphs ago."""
        self.queued.append(self.cuda.current_stream().record_event())
        if len(self.queued) > AHEAD:
            self.queued.popleft().synchronize()

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
                ALONE,
                self.cuda.graph(
                    graph,
                    pool=self.pool,
                    stream=self.cuda.current_stream(),
                    capture_error_mode="thread_local",
                ),
            ):
                given = what()
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            self.refused = str(error).split("\n", maxsplit=1)[0]
            return None, None
        return graph, given
