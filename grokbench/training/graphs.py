"""Steps and evaluations captured in CUDA graphs. No other file captures.

A step of tiny models is about a hundred small kernels, and starting them takes longer than running
them. A CUDA graph is a recording of kernels, here of up to STRIDE steps; one call starts all of
them. A captured step must change nothing but tensors, in place, and must never wait for the device.

The first steps are not captured, because libraries make their plans and buffers in them. They are
real steps of the training. All work happens on the current stream, which must not be the default
stream: CUDA cannot capture the default stream (see `device.stream_of_its_own`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grokbench.training.device import BUILD_LOCK
from grokbench.training.memory import out_of_memory

STRIDE = 25
"""Steps in one graph."""

AHEAD = 2
"""How many graphs of steps may wait on the device: enough that the device never waits for the host,
and few enough that a checkpoint or a stop comes soon."""

WARM_UP = 3
"""Steps taken before the first capture, as many as torch's notes on CUDA graphs advise."""


class Graphs:
    """Replays steps and evaluations from graphs.

    Where a capture raises an error (for example, because a module waits for the device), `advance`
    and `evaluate` execute one operation after the other from then on, and `refused` says why.

    Args:
        step: takes one step.
        evaluate: gives an evaluation: a tensor whose shape never changes.
        cuda: `torch.cuda`, or a double of it in a test.
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
        """Take this many steps."""
        while steps and (self.warm < WARM_UP or not self._ready()):
            self.step()
            self.warm, steps = self.warm + 1, steps - 1
        # Whole strides by the large graph, and the rest by the graph of one step.
        for _ in range(steps // STRIDE):
            self.many.replay()
            self._keep_up()
        for _ in range(steps % STRIDE):
            self.one.replay()

    def evaluate(self) -> Tensor:
        """The evaluation after the steps taken so far; the next call overwrites the tensor."""
        if self.judged is None or self.refused:
            self.judged = self.compute()
        elif self.evaluation is None:  # the second call: the first one was the warm-up
            self.evaluation, self.judged = self._captured(self.compute)
            return self.evaluate()
        else:
            self.evaluation.replay()
        assert self.judged is not None
        return self.judged

    def _keep_up(self) -> None:
        """Wait until no more than AHEAD graphs of STRIDE steps wait on the device."""
        self.queued.append(self.cuda.current_stream().record_event())
        if len(self.queued) > AHEAD:
            self.queued.popleft().synchronize()

    def _ready(self) -> bool:
        """Whether there are graphs of steps; the first call captures them."""
        if self.one is None and not self.refused:
            self.one, _ = self._captured(self.step)
            if not self.refused:
                self.many, _ = self._captured(lambda: [self.step() for _ in range(STRIDE)])
        return not self.refused

    def _captured(self, what: Callable[[], Any]) -> tuple[Any, Any]:
        """A graph of `what`, and what `what` returned; None and None where the capture failed.

        A capture runs nothing on the device. Each replay of the graph overwrites the tensors that
        `what` returned.
        """
        graph = self.cuda.CUDAGraph()
        try:
            with (
                BUILD_LOCK,
                self.cuda.graph(
                    graph,
                    pool=self.pool,
                    stream=self.cuda.current_stream(),
                    # Other threads may go on with their own streams during the capture.
                    capture_error_mode="thread_local",
                ),
            ):
                given = what()
        except RuntimeError as error:
            if out_of_memory(error):
                raise  # the cohort is halved, and each half is captured
            self.refused = str(error).split("\n", maxsplit=1)[0]
            return None, None
        return graph, given
