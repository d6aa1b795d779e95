"""One worker process: it trains the cohorts that its parent sends, each in one thread.

A worker whose parent died ends itself. A worker that is told to stop keeps checkpoints of its
cohorts first.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from grokbench.errors import GrokbenchError
from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Record
from grokbench.streams import print_any_character
from grokbench.training.checkpoints import Checkpoints
from grokbench.training.events import Events
from grokbench.training.lanes import train_in_lanes
from grokbench.training.spawning import main_script_hidden
from grokbench.training.trainer import Trainer


@dataclass(eq=False)
class Worker:
    """The parent's end of one worker process.

    Attributes:
        cohorts: what the worker was given and has not ended, by the cohorts' ids; empty while the
            worker is idle. When the worker has died, those that it had not begun.
        begun: the ids of the cohorts that the worker trains.
        turn: how often the worker was given cohorts.
    """

    process: BaseProcess
    pipe: Connection
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    turn: int = 0

    @classmethod
    def start(
        cls, plugins: Plugins, device: str, checkpoints: Checkpoints | None, lanes: int = 1
    ) -> Worker:
        # Spawned and not forked: CUDA cannot be used after a fork (PyTorch, notes on
        # multiprocessing).
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work,
            args=(theirs, pickle.dumps(plugins), device, checkpoints, lanes),
            daemon=True,
        )
        with signals_blocked(), main_script_hidden():
            process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, cohorts: Sequence[Cohort], seconds: float) -> None:
        """Have an idle worker train cohorts; if the worker is gone, `report` will say so.

        Args:
            seconds: until the worker will be told to stop.
        """
        self.cohorts = {cohort.id: cohort for cohort in cohorts}
        self.begun.clear()
        self.turn += 1
        with suppress(OSError):
            self.pipe.send((self.turn, cohorts, seconds))

    def report(self, events: Events) -> bool:
        """Pass one message to `events`; False when the worker is gone."""
        try:
            message: Any = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            why = f"its worker process ended with exit code {self.process.exitcode}"
            # A worker that had begun nothing may die at any cohort, so one of them is lost as well.
            self.begun = self.begun or set(list(self.cohorts)[:1])
            self.lose(events, why)
            return False
        what, *told = message
        if what == "ended":
            # The worker was told to stop. Or all is finished, and it may have new cohorts already.
            if told == [self.turn]:
                self.cohorts = {}
        elif what == "refused":
            self.begun = self.begun or set(self.cohorts)
            self.lose(events, *told)
            self.end()
            return False
        else:
            name, *told = told
            cohort = self.cohorts[name]
            if what == "started":
                self.begun.add(name)
            elif what == "finished":
                self.begun.discard(name)
                del self.cohorts[name]
            getattr(events, what)(cohort, *told)
        return True

    def lose(self, events: Events, why: str) -> None:
        """Tell `events` that the cohorts which the worker had begun are lost."""
        lost = [cohort for name, cohort in self.cohorts.items() if name in self.begun]
        self.cohorts = {name: one for name, one in self.cohorts.items() if name not in self.begun}
        for cohort in lost:
            events.lost(cohort, why)

    def stop(self) -> None:
        """Have the worker keep checkpoints and send the records that it has."""
        with suppress(OSError):
            self.pipe.send(None)

    def end(self) -> None:
        """Kill the process, which keeps nothing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def work(
    pipe: Connection, plugins: bytes, device: str, checkpoints: Checkpoints | None, lanes: int
) -> None:
    """What a worker process does until its parent closes the pipe, or dies."""
    print_any_character()
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        definitions: Plugins = pickle.loads(plugins)  # noqa: S301 (from the parent process)
        while True:
            try:
                given: tuple[int, list[Cohort], float] | None = pipe.recv()
            except EOFError:
                return
            if given is None:  # the word to stop: `poll` leaves it in the pipe
                continue
            turn, cohorts, seconds = given
            # Any message that arrives while the worker trains means: stop.
            trainer = Trainer(
                definitions,
                device,
                ToParent(pipe),
                checkpoints,
                should_stop=pipe.poll,
                deadline=time.monotonic() + seconds,
            )
            train_in_lanes(iter(cohorts), trainer, lanes)
            pipe.send(("ended", turn))
    except GrokbenchError as error:
        pipe.send(("refused", str(error)))


class ToParent(Events):
    """Sends what happens in a worker process to `Worker.report` of its parent."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def started(self, cohort: Cohort) -> None:
        self.pipe.send(("started", cohort.id))

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.pipe.send(("advanced", cohort.id, step, validation_accuracy))

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.pipe.send(("finished", cohort.id, list(records)))

    def lost(self, cohort: Cohort, message: str) -> None:
        self.pipe.send(("lost", cohort.id, message))


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
