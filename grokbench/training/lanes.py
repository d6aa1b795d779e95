"""Cohorts side by side on one device, each in a lane: a thread with a CUDA stream of its own.

One small cohort leaves most of a large GPU idle, and cohorts of different model sizes cannot be
stacked. So several cohorts are trained at once in one process, as long as they need no more memory
together than one cohort may need alone. Each cohort computes the same bits as alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import groupby

import torch

from grokbench.plan import COHORT_BYTES, Cohort
from grokbench.record import Record
from grokbench.switches import OF_A_THREAD, SWITCHES, put_back
from grokbench.training.device import one_thread
from grokbench.training.events import Events
from grokbench.training.precision import float32_products
from grokbench.training.trainer import Trainer

LANES = {"cuda": 4}
"""How many cohorts share a device of this type by default; any other type has one lane. Four is not
measured: see benchmarks/README.md."""

PATIENCE_SECONDS = 0.1
"""How long a thread waits at once. A lane that waits for memory then asks whether to stop, and the
thread that waits for the lanes then handles Ctrl-C."""


class Lanes:
    """The cohorts that wait for a lane, and the cohorts that train in one.

    Args:
        cohorts: in the order in which they begin.
        should_stop: says whether no more cohorts should begin.
        room: the estimated memory that cohorts side by side may need, in bytes. A cohort alone may
            need more.
    """

    def __init__(
        self, cohorts: Iterable[Cohort], should_stop: Callable[[], bool], room: float
    ) -> None:
        self.waiting, self.asked, self.room = iter(cohorts), should_stop, room
        self.next: Cohort | None = None
        self.running: list[Cohort] = []
        self.failed = False
        self.changed = threading.Condition()

    def should_stop(self) -> bool:
        """Whether to stop: the caller says so, or another lane has failed."""
        return self.failed or self.asked()

    def enter(self) -> Cohort | None:
        """The next cohort, as soon as its memory is free; None when no more should begin."""
        with self.changed:
            while not self.should_stop():
                self.next = self.next or next(self.waiting, None)
                if self.next is None:
                    return None
                needed = sum(cohort.memory for cohort in [*self.running, self.next])
                if not self.running or needed <= self.room:
                    entering, self.next = self.next, None
                    self.running.append(entering)
                    return entering
                self.changed.wait(PATIENCE_SECONDS)
            return None

    def leave(self, cohort: Cohort, *, failed: bool) -> None:
        """Free the cohort's memory for others; after a failure no more cohorts begin."""
        with self.changed:
            self.running.remove(cohort)
            self.failed = self.failed or failed
            self.changed.notify_all()


class OneAtATime(Events):
    """Passes events on, from one thread at a time."""

    def __init__(self, events: Events) -> None:
        self.events, self.lock = events, threading.Lock()

    def started(self, cohort: Cohort) -> None:
        with self.lock:
            self.events.started(cohort)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        with self.lock:
            self.events.advanced(cohort, step, validation_accuracy)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        with self.lock:
            self.events.finished(cohort, records)

    def lost(self, cohort: Cohort, message: str) -> None:
        with self.lock:
            self.events.lost(cohort, message)


def train_in_lanes(cohorts: Iterator[Cohort], trainer: Trainer, number: int) -> None:
    """Train cohorts until the trainer should stop: one after the other, or in several lanes."""
    if number > 1:
        train_side_by_side(cohorts, trainer, number)
        return
    while not trainer.should_stop() and (cohort := next(cohorts, None)) is not None:
        trainer.train(cohort)


def train_side_by_side(cohorts: Iterator[Cohort], trainer: Trainer, number: int) -> None:
    """Train cohorts in `number` lanes.

    When the trainer should stop, no more cohorts begin, and those in training keep a checkpoint.
    The same happens when a lane raises an error, which is then raised here.
    """
    room = COHORT_BYTES[torch.device(trainer.device).type]
    events = OneAtATime(trainer.events)
    # The rounding of float32 products is a setting of the whole process: cohorts that differ in it
    # are never side by side.
    for _, alike in groupby(cohorts, key=lambda cohort: cohort.runs[0].recipe.precision == "tf32"):
        group = list(alike)
        lanes = Lanes(group, trainer.should_stop, room)
        # What belongs to the process is put back at the end of all lanes: a lane that puts back its own
        # view of it could undo what another lane needs just now.
        own = replace(trainer, events=events, should_stop=lanes.should_stop, switches=OF_A_THREAD)
        with (
            put_back(SWITCHES),
            float32_products(group[0].runs[0].recipe.precision),
            one_thread(),
            ThreadPoolExecutor(number, thread_name_prefix="lane") as pool,
        ):
            threads = [pool.submit(train_in_lane, lanes, own) for _ in range(number)]
            # Python handles Ctrl-C in the main thread alone, and outside POSIX only between waits.
            while wait(threads, PATIENCE_SECONDS).not_done:
                pass
        for thread in threads:
            thread.result()  # raises what the lane raised


def train_in_lane(lanes: Lanes, trainer: Trainer) -> None:
    """Train one cohort after the other, each as soon as there is memory for it."""
    while (cohort := lanes.enter()) is not None:
        failed = True
        try:
            trainer.train(cohort)
            failed = False
        finally:
            lanes.leave(cohort, failed=failed)
