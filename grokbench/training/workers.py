"""Which cohort is trained when and where: in worker processes, or in this process.

Small matrix products gain nothing from threads, so cores are used by processes. A worker that dies
loses only its cohort.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from multiprocessing.connection import Connection, wait
from types import TracebackType

from grokbench.amounts import duration
from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.training.checkpoints import Checkpoints
from grokbench.training.events import Events
from grokbench.training.interruption import interruption_put_off
from grokbench.training.lanes import LANES, train_in_lanes
from grokbench.training.trainer import Trainer
from grokbench.training.worker_process import Worker

GRACE_SECONDS = 10.0
"""The time workers get to write their checkpoints."""


class Crew:
    """Worker processes, kept from one `train_cohorts` to the next until the block ends.

    A new process imports torch, which takes seconds.
    """

    def __init__(self) -> None:
        self.members: list[Worker] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for worker in self.members:
            worker.end()
        self.members.clear()

    def idle(self) -> list[Worker]:
        """The workers without a cohort."""
        return [worker for worker in self.members if not worker.cohorts]

    def busy(self) -> dict[Connection, Worker]:
        """The workers with a cohort, by their pipes."""
        return {worker.pipe: worker for worker in self.members if worker.cohorts}


def train_cohorts(
    cohorts: Iterable[Cohort],
    plugins: Plugins,
    events: Events,
    *,
    jobs: int,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    deadline: float = math.inf,
    grace: float = GRACE_SECONDS,
    lanes: int | None = None,
    crew: Crew | None = None,
) -> None:
    """Train cohorts in the order given, `jobs` at a time; returns when all have ended.

    After `deadline` no more cohorts begin, and those in training keep a checkpoint and stop. The
    same happens at Ctrl-C, before KeyboardInterrupt is raised. A worker process that does not stop
    is killed, and its cohort is lost.

    Args:
        plugins: the definitions that the runs refer to by name; each worker process loads the
            plugins once for itself.
        jobs: the number of processes.
        checkpoints: where cohorts are kept while they train; None to keep nothing.
        deadline: a moment of `time.monotonic`.
        grace: seconds that workers get to write their checkpoints, before they are killed.
        lanes: with one process, how many cohorts share the device; by default several share a GPU.
        crew: the worker processes of former calls with the same plugins, device and checkpoints; more
            are started as needed. None: with one job all cohorts are trained in this process, and
            with more jobs in worker processes that end with this call.

    Raises:
        KeyboardInterrupt: after the checkpoints are kept.
        DeviceError: in this process, the GPU does nothing more for this process. A worker process
            ends at this error, and its cohort is lost.
        ValueError: `jobs` is less than 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs is the number of processes: 1 or more, not {jobs}")
    lanes = 1 if jobs > 1 else lanes or LANES.get(device.partition(":")[0], 1)
    if crew is None and jobs == 1:
        train_here(iter(cohorts), plugins, events, device, checkpoints, deadline, lanes)
        return
    with nullcontext(crew) if crew is not None else Crew() as workers:
        foreman = Foreman(workers, cohorts, events, deadline, grace)
        try:
            while True:
                while foreman.waiting and time.monotonic() < deadline:
                    if not workers.idle():
                        if len(workers.members) >= jobs:
                            break
                        workers.members.append(Worker.start(plugins, device, checkpoints, lanes))
                    foreman.give(workers.idle()[0], len(foreman.waiting) if lanes > 1 else 1)
                if not workers.busy():
                    return
                if not foreman.listen(deadline):
                    foreman.wind_down("the time was up")
                    return
        except KeyboardInterrupt:
            foreman.wind_down("the interruption")
            raise


def train_here(
    cohorts: Iterator[Cohort],
    plugins: Plugins,
    events: Events,
    device: str,
    checkpoints: Checkpoints | None,
    deadline: float,
    lanes: int,
) -> None:
    """Train cohorts in this process, side by side or one after the other."""
    with interruption_put_off() as interrupted:

        def should_stop() -> bool:
            return interrupted() or time.monotonic() >= deadline

        trainer = Trainer(plugins, device, events, checkpoints, should_stop, deadline)
        train_in_lanes(cohorts, trainer, lanes)


class Foreman:
    """Gives the cohorts of one call to the workers, and tells `events` what the workers report."""

    def __init__(
        self,
        crew: Crew,
        cohorts: Iterable[Cohort],
        events: Events,
        deadline: float,
        grace: float,
    ) -> None:
        self.crew, self.waiting, self.events = crew, deque(cohorts), events
        self.deadline, self.grace = deadline, grace

    def give(self, worker: Worker, number: int) -> None:
        """Give a worker the next cohorts."""
        given = [self.waiting.popleft() for _ in range(number)]
        worker.give(given, self.deadline - time.monotonic())

    def listen(self, until: float) -> bool:
        """Wait for messages and pass them to `events`; False after the moment `until`."""
        busy = self.crew.busy()
        left = max(0.0, until - time.monotonic())
        # `wait` refuses infinity and more than 2³¹ ms (24 days); None sets no limit.
        ready = wait(list(busy), left if left < 1e6 else None)
        for pipe in ready:
            worker = busy[pipe]  # type: ignore[index]
            if not worker.report(self.events):
                self.crew.members.remove(worker)
                # Of several cohorts, some had not begun. Another worker takes them.
                self.waiting.extendleft(reversed(worker.cohorts.values()))
        return time.monotonic() < until

    def wind_down(self, after: str) -> None:
        """Stop all cohorts, and wait for their checkpoints; kill the workers that do not stop."""
        until = time.monotonic() + self.grace
        for worker in self.crew.busy().values():
            worker.stop()
        while self.crew.busy() and self.listen(until):
            pass
        for worker in self.crew.busy().values():
            self.crew.members.remove(worker)
            worker.end()
            worker.lose(
                self.events,
                f"it did not stop within {duration(self.grace)} after {after}, so its worker process "
                f"was killed: code of a plugin hangs, or one step takes longer",
            )
