"""One worker process: it trains the cohorts that its parent sends, one at a time, in one thread.

A worker whose parent died ends itself. A worker that is told to stop keeps a checkpoint of its
cohort first.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Record
from grokbench.training.checkpoints import Checkpoints
from grokbench.training.events import Events
from grokbench.training.trainer import Trainer


@dataclass(eq=False)
class Worker:
    """The parent's end of one worker process.

    Attributes:
        cohort: the cohort that the worker trains; None while the worker is idle.
        heard: whether the worker has ever sent a message.
    """

    process: BaseProcess
    pipe: Connection
    cohort: Cohort | None = None
    heard: bool = False

    @classmethod
    def start(cls, plugins: Plugins, device: str, checkpoints: Checkpoints | None) -> Worker:
        # Spawned and not forked: CUDA cannot be used after a fork (PyTorch, notes on
        # multiprocessing).
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work, args=(theirs, plugins, device, checkpoints), daemon=True
        )
        with signals_blocked():
            process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, cohort: Cohort) -> None:
        """Have the worker train `cohort`; if the worker is gone, `report` will say so."""
        self.cohort = cohort
        with suppress(OSError):
            self.pipe.send(cohort)

    def report(self, events: Events) -> bool:
        """Pass one message to `events`; False when the worker is gone."""
        assert self.cohort is not None
        cohort = self.cohort
        try:
            message: Any = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            message = f"its worker process ended with exit code {self.process.exitcode}"
            # A spawned process imports the main script again; without a guard the script starts to
            # train there, which multiprocessing refuses. Other errors end a new process in the same
            # way.
            if self.process.exitcode == 1 and not self.heard:
                message += "; perhaps a script trains outside of `if __name__ == '__main__':`"
            events.lost(cohort, message)
            return False
        self.heard = True
        # A list holds the records, at the end; a pair is (step, accuracy).
        if isinstance(message, list):
            self.cohort = None
            events.finished(cohort, message)
        else:
            events.advanced(cohort, *message)
        return True

    def stop(self) -> None:
        """Have the worker keep a checkpoint and send the records that it has."""
        with suppress(OSError):
            self.pipe.send(None)

    def end(self) -> None:
        """Kill the process, which keeps nothing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def work(pipe: Connection, plugins: Plugins, device: str, checkpoints: Checkpoints | None) -> None:
    """What a worker process does until its parent closes the pipe, or dies."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    # Any message that arrives while the worker trains means: stop.
    trainer = Trainer(plugins, device, ToParent(pipe), checkpoints, should_stop=pipe.poll)
    while True:
        try:
            cohort: Cohort | None = pipe.recv()
        except EOFError:
            return
        if cohort is None:  # the word to stop: `poll` leaves it in the pipe
            continue
        trainer.train(cohort)


class ToParent(Events):
    """Sends what happens in a worker process to `Worker.report` of its parent."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.pipe.send((step, validation_accuracy))

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.pipe.send(list(records))


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Processes started within the block never receive SIGINT and SIGTERM.

    Both signals may be sent to the whole process group. The parent receives them and tells the
    workers what to do. A child inherits the blocked signals, so that they are blocked from its
    start.
    """
    # Spawning the first child starts Python's resource tracker, which unblocks both signals (CPython
    # 3.11). So the tracker is started before the signals are blocked.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Wait for the parent process to end, then end this one at once."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
