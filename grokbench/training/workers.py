"""Which cohort is trained when and where: in worker processes, or in this process.

Small matrix products gain nothing from threads, so cores are used by processes. A worker that dies
loses only its cohort.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.training.checkpoints import Checkpoints
from grokbench.training.events import Events
from grokbench.training.interruption import interruption_put_off
from grokbench.training.lanes import LANES, train_side_by_side
from grokbench.training.trainer import Trainer
from grokbench.training.worker_process import Worker

GRACE_SECONDS = 10.0
"""The time workers get to write their checkpoints."""


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
) -> None:
    """Train cohorts in the order given, `jobs` at a time; returns when all have ended.

    After `deadline` no more cohorts begin, and those in training keep a checkpoint and stop. The
    same happens at Ctrl-C, before KeyboardInterrupt is raised.

    Args:
        plugins: the definitions that the runs refer to by name; each worker process loads the
            plugins once for itself.
        jobs: the number of processes; with 1 all cohorts are trained in this process.
        checkpoints: where cohorts are kept while they train; None to keep nothing.
        deadline: a moment of `time.monotonic`.
        grace: seconds that workers get to write their checkpoints, before they are killed.
        lanes: with one process, how many cohorts share the device; by default several share a GPU.

    Raises:
        KeyboardInterrupt: after the checkpoints are kept.
        DeviceError: with one process, the GPU does nothing more for this process. A worker process
            ends at this error, and its cohort is lost.
        ValueError: `jobs` is less than 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs is the number of processes: 1 or more, not {jobs}")
    waiting = iter(cohorts)
    if jobs == 1:
        lanes = lanes or LANES.get(device.partition(":")[0], 1)
        train_here(waiting, plugins, events, device, checkpoints, deadline, lanes)
        return
    pool = Pool([], events)
    try:
        while True:
            while pool.idle() or len(pool.workers) < jobs:
                cohort = next(waiting, None) if time.monotonic() < deadline else None
                if cohort is None:
                    break
                if not pool.idle():
                    pool.workers.append(Worker.start(plugins, device, checkpoints))
                pool.idle()[0].give(cohort)
                events.started(cohort)
            if not pool.busy():
                return
            if not pool.listen(deadline):
                pool.wind_down(grace)
                return
    except KeyboardInterrupt:
        pool.wind_down(grace)
        raise
    finally:
        for worker in pool.workers:
            worker.end()


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
        if lanes > 1:
            train_side_by_side(cohorts, trainer, lanes)
            return
        while not should_stop() and (cohort := next(cohorts, None)) is not None:
            trainer.train(cohort)


@dataclass(eq=False)
class Pool:
    """The worker processes, and the listener that hears their events."""

    workers: list[Worker]
    events: Events

    def idle(self) -> list[Worker]:
        """The workers without a cohort."""
        return [worker for worker in self.workers if worker.cohort is None]

    def busy(self) -> dict[Connection, Worker]:
        """The workers with a cohort, by their pipes."""
        return {worker.pipe: worker for worker in self.workers if worker.cohort is not None}

    def listen(self, deadline: float) -> bool:
        """Wait for messages and pass them to `events`; False after `deadline`."""
        busy = self.busy()
        left = max(0.0, deadline - time.monotonic())
        # `wait` refuses infinity and more than 2³¹ ms (24 days); None sets no limit.
        ready = wait(list(busy), left if left < 1e6 else None)
        for pipe in ready:
            if not busy[pipe].report(self.events):  # type: ignore[index]
                self.workers.remove(busy[pipe])  # type: ignore[index]
        return time.monotonic() < deadline

    def wind_down(self, grace: float) -> None:
        """Stop all cohorts, and wait up to `grace` seconds for their checkpoints."""
        deadline = time.monotonic() + grace
        for worker in self.busy().values():
            worker.stop()
        while self.busy() and self.listen(deadline):
            pass
