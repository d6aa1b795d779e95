"""Worker processes: one thread each, one cohort at a time.

Small products gain nothing from threads, so cores are used by processes. A worker that dies takes
only its cohort with it, and a worker whose parent died ends itself. Told to stop, a worker keeps a
checkpoint of its cohort first.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Record
from grokbench.training.checkpoints import Checkpoints, Safekeeping
from grokbench.training.lanes import LANES, train_side_by_side
from grokbench.training.loop import train
from grokbench.training.process import interruption_put_off

GRACE_SECONDS = 10.0
"""How long workers that were told to stop have to keep their checkpoints."""


class Events:
    """What happens to cohorts while they are trained; every method does nothing here."""

    def started(self, cohort: Cohort) -> None:
        """A worker has begun."""

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        """An evaluation was made; the accuracy is the mean over the cohort."""

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        """The cohort's training has ended: a record for each run, one way or another.

        Fewer records where it was told to stop; the other runs go on from their checkpoint.
        """

    def lost(self, cohort: Cohort, message: str) -> None:
        """The worker died; nothing of the cohort is left."""


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
    """Train cohorts in the order given, `jobs` at a time; returns when there are no more.

    After `deadline` no cohort is begun, and those in training are stopped and keep a checkpoint.
    So they do at Ctrl-C, before KeyboardInterrupt is raised on.

    Args:
        plugins: what the cohorts' runs name; each worker process loads the plugins once for itself.
        jobs: how many processes; with 1 everything happens in this one.
        checkpoints: where cohorts are kept while they train; None to keep nothing.
        deadline: a moment of `time.monotonic`.
        grace: seconds that workers told to stop have, before they are ended.
        lanes: with one process, how many cohorts share the device; by default several share a GPU.
    """
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
    with interruption_put_off() as interrupted:

        def told() -> bool:
            return interrupted() or time.monotonic() >= deadline

        if lanes > 1:
            train_side_by_side(cohorts, plugins, events, device, checkpoints, told, deadline, lanes)
            return
        while not told() and (cohort := next(cohorts, None)) is not None:
            events.started(cohort)
            advance = partial(events.advanced, cohort)
            safekeeping = Safekeeping(cohort.id, checkpoints, told, deadline)
            events.finished(cohort, train(cohort.runs, plugins, device, advance, safekeeping))


@dataclass(eq=False)
class Pool:
    """The workers there are, and who hears their news."""

    workers: list[Worker]
    events: Events

    def idle(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.cohort is None]

    def busy(self) -> dict[Connection, Worker]:
        return {worker.pipe: worker for worker in self.workers if worker.cohort is not None}

    def listen(self, deadline: float) -> bool:
        """Pass on what workers have to say, as soon as they say it; False after `deadline`."""
        busy = self.busy()
        left = max(0.0, deadline - time.monotonic())
        # What would overflow a C long of milliseconds is as good as forever.
        ready = wait(list(busy), left if left < 1e6 else None)
        for pipe in ready:
            if not busy[pipe].report(self.events):  # type: ignore[index]
                self.workers.remove(busy[pipe])  # type: ignore[index]
        return time.monotonic() < deadline

    def wind_down(self, grace: float) -> None:
        """Stop all cohorts, and wait so many seconds for their checkpoints."""
        deadline = time.monotonic() + grace
        for worker in self.busy().values():
            worker.stop()
        while self.busy() and self.listen(deadline):
            pass


@dataclass(eq=False)
class Worker:
    """The parent's end of one worker process."""

    process: BaseProcess
    pipe: Connection
    cohort: Cohort | None = None
    heard: bool = False
    """Whether it has ever said anything."""

    @classmethod
    def start(cls, plugins: Plugins, device: str, checkpoints: Checkpoints | None) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work, args=(theirs, plugins, device, checkpoints), daemon=True
        )
        with born_deaf():
            process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, cohort: Cohort) -> None:
        """Have the worker train `cohort`; if it is gone, `report` will say so."""
        self.cohort = cohort
        with suppress(OSError):
            self.pipe.send(cohort)

    def report(self, events: Events) -> bool:
        """Pass on one message; False when the worker is gone."""
        assert self.cohort is not None
        cohort = self.cohort
        try:
            message: Any = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            message = f"its worker process ended with exit code {self.process.exitcode}"
            if self.process.exitcode == 1 and not self.heard:
                message += "; a script must train under `if __name__ == '__main__':`"
            events.lost(cohort, message)
            return False
        self.heard = True
        if isinstance(message, list):
            self.cohort = None
            events.finished(cohort, message)
        else:
            events.advanced(cohort, *message)
        return True

    def stop(self) -> None:
        """Have the worker keep a checkpoint and report what is finished."""
        with suppress(OSError):
            self.pipe.send(None)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def work(pipe: Connection, plugins: Plugins, device: str, checkpoints: Checkpoints | None) -> None:
    """What a worker process does until its parent closes the pipe, or dies."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    while True:
        try:
            cohort: Cohort | None = pipe.recv()
        except EOFError:
            return
        if cohort is None:  # it was told to stop what it had finished
            continue
        safekeeping = Safekeeping(cohort.id, checkpoints, pipe.poll)
        pipe.send(train(cohort.runs, plugins, device, lambda *news: pipe.send(news), safekeeping))


@contextmanager
def born_deaf() -> Iterator[None]:
    """Processes begun within it never hear SIGINT and SIGTERM.

    Both may be sent to the whole group; the parent hears them, and says what is to be done. A child
    inherits which signals are blocked, so it is deaf from its first moment on.
    """
    resource_tracker.ensure_running()  # begun by the first child otherwise, it would unblock both
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
