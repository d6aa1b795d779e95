"""Worker processes: one thread each, one cohort at a time.

Small products gain nothing from threads, so cores are used by processes. A worker that dies takes
only its cohort with it, and a worker whose parent died ends itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Record
from grokbench.training.loop import train


class Events:
    """What happens to cohorts while they are trained; every method does nothing here."""

    def started(self, cohort: Cohort) -> None:
        """A worker has begun."""

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        """An evaluation was made; the accuracy is the mean over the cohort."""

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        """All runs of the cohort have ended, one way or another."""

    def lost(self, cohort: Cohort, message: str) -> None:
        """The worker died; nothing of the cohort is left."""


def train_cohorts(
    cohorts: Iterable[Cohort],
    files: Sequence[Path],
    events: Events,
    *,
    jobs: int,
    device: str = "cpu",
) -> None:
    """Train cohorts in the order given, `jobs` at a time; returns when there are no more.

    `cohorts` is read only when a worker is free, so it may end early (a budget, say). Stopping by
    an exception, KeyboardInterrupt included, ends the workers at once.

    Args:
        files: single-file plugins, which each worker loads for itself.
        jobs: how many processes; with 1 everything happens in this one.
    """
    waiting = iter(cohorts)
    if jobs == 1:
        train_here(waiting, Plugins.load(files), events, device)
        return
    pool: list[Worker] = []
    try:
        while True:
            for worker in [*pool, *([None] if len(pool) < jobs else [])]:
                if worker is not None and worker.cohort is not None:
                    continue
                cohort = next(waiting, None)
                if cohort is None:
                    break
                if worker is None:
                    worker = Worker.start(files, device)
                    pool.append(worker)
                worker.give(cohort)
                events.started(cohort)
            busy = {worker.pipe: worker for worker in pool if worker.cohort is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                if not busy[pipe].report(events):  # type: ignore[index]
                    pool.remove(busy[pipe])  # type: ignore[index]
    finally:
        for worker in pool:
            worker.stop()


def train_here(cohorts: Iterator[Cohort], plugins: Plugins, events: Events, device: str) -> None:
    for cohort in cohorts:
        events.started(cohort)

        def advance(step: int, accuracy: float, cohort: Cohort = cohort) -> None:
            events.advanced(cohort, step, accuracy)

        events.finished(cohort, train(cohort.runs, plugins, device, advance))


@dataclass(eq=False)
class Worker:
    """The parent's end of one worker process."""

    process: BaseProcess
    pipe: Connection
    cohort: Cohort | None = None

    @classmethod
    def start(cls, files: Sequence[Path], device: str) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, list(files), device), daemon=True)
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
            events.lost(cohort, f"its worker process ended with exit code {self.process.exitcode}")
            return False
        if isinstance(message, list):
            self.cohort = None
            events.finished(cohort, message)
        else:
            events.advanced(cohort, *message)
        return True

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def work(pipe: Connection, files: Sequence[Path], device: str) -> None:
    """What a worker process does until its parent closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    plugins = Plugins.load(files)
    while True:
        try:
            cohort: Cohort = pipe.recv()
        except EOFError:
            return
        pipe.send(train(cohort.runs, plugins, device, lambda *news: pipe.send(news)))


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
