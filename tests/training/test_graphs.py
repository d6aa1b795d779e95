"""Steps are taken as often as asked, captured or not; tested with a double of `torch.cuda`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from grokbench.optimizers.adamw import AdamW
from grokbench.record import ModelSize
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.device import stream_of_its_own
from grokbench.training.execution import Execution, execution_of, reads_back
from grokbench.training.graphs import AHEAD, STRIDE, WARM_UP, Graphs
from grokbench.training.loop import train_to_end
from grokbench.training.transfers import Transfers
from tests.training.small_runs import ADDITION, PLUGINS, TEACHER, run


class Event:
    """Writes into the log when it is waited for."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def synchronize(self) -> None:
        self.log.append("wait")


class Stream:
    """A stream that is not the default one."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def record_event(self) -> Event:
        return Event(self.log)


class CUDAGraph:
    """Launches again what was launched while it was captured."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        self.kernels: list[tuple[str, Callable[[], object]]] = []

    def replay(self) -> None:
        self.cuda.log.append("replay")
        for _, kernel in self.kernels:
            kernel()


class Cuda:
    """A double of `torch.cuda`: launches kernels, or records them while it captures.

    The capture number `refuse_at`, counted from 1, raises a RuntimeError.
    """

    def __init__(self, refuse_at: int = 0) -> None:
        self.log: list[str] = []
        self.current = Stream(self.log)
        self.capturing: CUDAGraph | None = None
        self.captures, self.refuse_at = 0, refuse_at

    def CUDAGraph(self) -> CUDAGraph:  # noqa: N802 (torch's name)
        return CUDAGraph(self)

    def graph_pool_handle(self) -> str:
        return "pool"

    def current_stream(self) -> Stream:
        return self.current

    @contextmanager
    def graph(
        self, graph: CUDAGraph, *, pool: str, stream: Stream, capture_error_mode: str
    ) -> Iterator[None]:
        assert ("pool", self.current, "thread_local") == (pool, stream, capture_error_mode)
        self.captures += 1
        self.capturing = graph
        try:
            yield
            if self.captures == self.refuse_at:
                raise RuntimeError("operation not permitted when stream is capturing\nSee there")
        finally:
            self.capturing = None

    def launch(self, name: str, kernel: Callable[[], object]) -> None:
        if self.capturing is not None:
            self.capturing.kernels.append((name, kernel))
        else:
            self.log.append(name)
            kernel()


class Walk:
    """Counts its steps on the device, and reads the count."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        self.taken = torch.zeros(())
        self.graphs = Graphs(self.step, self.evaluate, cuda)

    def step(self) -> None:
        self.cuda.launch("step", lambda: self.taken.add_(1))

    def evaluate(self) -> Tensor:
        found = torch.zeros(())
        self.cuda.launch("evaluation", lambda: found.copy_(self.taken))
        return found


def eager(kind: str, cuda: Cuda) -> int:
    return cuda.log.count(kind)


ADVANCES = st.lists(st.integers(0, 3 * STRIDE), max_size=8)


@given(ADVANCES, st.booleans())
def test_steps_are_taken_exactly_as_often_as_asked(advances: list[int], evaluates: bool) -> None:
    cuda = Cuda()
    walk, asked = Walk(cuda), 0
    for evaluation, steps in enumerate(advances, start=1):
        walk.graphs.advance(steps)
        asked += steps
        assert asked == walk.taken
        if evaluates:
            assert asked == walk.graphs.evaluate()
            assert 1 == eager("evaluation", cuda)
            assert (evaluation > 1) == (walk.graphs.evaluation is not None)
    assert min(asked, WARM_UP) == eager("step", cuda)
    assert (asked > WARM_UP) == (walk.graphs.one is not None)
    assert "" == walk.graphs.refused


@given(ADVANCES, st.integers(1, 3))
def test_where_capturing_is_refused_steps_go_on_as_they_come(
    advances: list[int], refuse_at: int
) -> None:
    cuda = Cuda(refuse_at)
    walk, asked = Walk(cuda), 0
    for steps in advances:
        walk.graphs.advance(steps)
        asked += steps
        assert asked == walk.taken == walk.graphs.evaluate()
    refused = cuda.captures >= refuse_at
    assert refused == (walk.graphs.refused == "operation not permitted when stream is capturing")
    assert cuda.captures <= 3
    walk.graphs.advance(1)
    asked += 1
    assert asked == walk.taken
    if refused:
        assert cuda.captures == refuse_at
        assert "step" == cuda.log[-1]


def test_a_refused_graph_is_never_replayed() -> None:
    cuda = Cuda(refuse_at=1)
    walk = Walk(cuda)
    walk.graphs.advance(100)
    assert "replay" not in cuda.log
    assert 100 == eager("step", cuda) == walk.taken


def test_whole_strides_are_replayed_at_once_and_the_rest_step_by_step() -> None:
    cuda = Cuda()
    walk = Walk(cuda)
    walk.graphs.advance(WARM_UP + 2 * STRIDE + 4)
    assert 2 + 4 == cuda.log.count("replay")
    assert 2 == cuda.captures
    cuda.log.clear()
    walk.graphs.advance(walk.graphs.stride)
    assert (1, 2) == (cuda.log.count("replay"), cuda.captures)


def test_no_more_than_a_few_graphs_of_steps_wait_on_the_device() -> None:
    cuda = Cuda()
    walk = Walk(cuda)
    walk.graphs.advance(WARM_UP + AHEAD * STRIDE)
    assert "wait" not in cuda.log
    cuda.log.clear()
    for _ in range(3):
        walk.graphs.advance(STRIDE)
    assert ["replay", "wait"] * 3 == cuda.log


def test_lack_of_memory_while_capturing_is_no_refusal() -> None:
    """The cohort is halved, and each half captured."""
    cuda = Cuda()

    def step() -> None:
        if cuda.capturing:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Graphs(step, lambda: torch.zeros(()), cuda).advance(WARM_UP + 1)


class Peeking(AdamW):
    """Steps only where the gradient is not zero."""

    name = "peeking"

    def step(self, parameters, gradients, learning_rate, weight_decay, count):  # type: ignore[no-untyped-def]
        if float(gradients.abs().sum()) > 0:
            super().step(parameters, gradients, learning_rate, weight_decay, count)


def test_an_optimizer_that_looks_at_values_is_found_before_it_is_captured() -> None:
    assert "" == reads_back(AdamW())
    assert reads_back(Peeking()).startswith("peeking looks at values: ")


def test_an_evaluation_stands_until_the_next_overwrites_it() -> None:
    cuda = Cuda()
    walk = Walk(cuda)
    walk.graphs.evaluate()
    walk.graphs.advance(4)
    second = walk.graphs.evaluate()
    assert 4 == second
    walk.graphs.advance(4)
    cuda.log.clear()
    assert second is walk.graphs.evaluate()
    assert 8 == second
    assert ["replay"] == cuda.log


def test_other_errors_while_capturing_are_raised() -> None:
    """Such errors would also be raised without a graph."""
    cuda = Cuda()

    def step() -> None:
        if cuda.capturing:
            raise TypeError("not a tensor")

    with pytest.raises(TypeError, match="not a tensor"):
        Graphs(step, lambda: torch.zeros(()), cuda).advance(WARM_UP + 1)


def test_on_a_cpu_steps_come_one_at_a_time() -> None:
    execution = execution_of(CohortTraining([run()], PLUGINS, torch.device("cpu")))
    assert (Execution, 1) == (type(execution), execution.stride)


def test_a_transfer_stays_as_it_was_when_its_tensor_is_overwritten() -> None:
    transfers, tensor = Transfers([torch.zeros(2)]), torch.ones(2)
    transfers.add(tensor)
    tensor.fill_(7)
    assert [1, 1] == transfers.latest().tolist()
    transfers.add(tensor)
    assert [7, 7] == transfers.latest().tolist()
    assert [[0, 0], [1, 1], [7, 7]] == [arrived.tolist() for arrived in transfers.all()]


# With a GPU


GPU_CASES = {
    "factored": (ADDITION, "dense", 8),
    "prefix": (ADDITION, "dense", ModelSize(8, 2)),
    "stacked": (TEACHER, "perceptron", 8),
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("case", GPU_CASES)
@pytest.mark.parametrize("recipe", [{}, {"batch_size": 16, "norm": "initial"}], ids=str)
def test_captured_steps_give_the_bits_of_steps_as_they_come(
    case: str, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    task, architecture, size = GPU_CASES[case]
    runs = [run(task, architecture, size, seed=seed, steps=100, **recipe) for seed in range(3)]
    make = partial(CohortTraining, runs, PLUGINS, torch.device("cuda"))
    with stream_of_its_own(torch.device("cuda")):
        captured = make()
        assert train_to_end(captured, lambda step, accuracy: None, Safekeeping())
        plain = make()
        plain.program.capturable = False
        assert train_to_end(plain, lambda step, accuracy: None, Safekeeping())
    assert torch.equal(plain.parameters, captured.parameters)
    for one, other in zip(
        plain.meter.evaluations.all(), captured.meter.evaluations.all(), strict=True
    ):
        assert torch.equal(one, other)
