"""Cohorts side by side on one device, in lanes: each lane is a thread with a CUDA stream of its own.

One small cohort leaves most of a large GPU idle, and cohorts of different model sizes cannot be
stacked. So several cohorts are trained at once in one process, as long as they need no more memory
together than one cohort may need alone. Each cohort computes the same bits as alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import groupby

import torch

from grokbench.plan import COHORT_BYTES, Cohort
from grokbench.plugins import Plugins
from grokbench.training.checkpoints import Checkpoints, Safekeeping
from grokbench.training.device import one_thread
from grokbench.training.events import Events
from grokbench.training.loop import train
from grokbench.training.precision import float32_products

LANES = {"cuda": 4}
"""How many cohorts at most share a device of this type; one on any other. Four was not measured: see
benchmarks/README.md."""

PATIENCE_SECONDS = 0.1
"""How often a lane that waits for memory asks whether it should stop."""


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
        """The next cohort, as soon as its memory is free; None when no more cohorts should begin."""
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


def train_side_by_side(
    cohorts: Iterator[Cohort],
    plugins: Plugins,
    events: Events,
    device: str,
    checkpoints: Checkpoints | None,
    should_stop: Callable[[], bool],
    deadline: float,
    lanes: int,
) -> None:
    """Train cohorts in `lanes` lanes; the methods of `events` are called by one lane at a time.

    When `should_stop` says so, no more cohorts begin, and those in training keep a checkpoint. The same
    happens when a lane raises an error, which is then raised here.
    """
    room = COHORT_BYTES[torch.device(device).type]
    events_lock = threading.Lock()

    def train_in_lane(shared: Lanes) -> None:
        while (cohort := shared.enter()) is not None:
            failed = True
            try:
                train_one(cohort, shared)
                failed = False
            finally:
                shared.leave(cohort, failed=failed)

    def train_one(cohort: Cohort, shared: Lanes) -> None:
        def on_evaluation(step: int, accuracy: float) -> None:
            with events_lock:
                events.advanced(cohort, step, accuracy)

        with events_lock:
            events.started(cohort)
        safekeeping = Safekeeping(cohort.id, checkpoints, shared.should_stop, deadline)
        records = train(cohort.runs, plugins, device, on_evaluation, safekeeping)
        with events_lock:
            events.finished(cohort, records)

    # The rounding of float32 products is a setting of the whole process: cohorts that differ in it
    # are never side by side.
    for _, alike in groupby(cohorts, key=lambda cohort: cohort.runs[0].recipe.precision == "tf32"):
        group = list(alike)
        shared = Lanes(group, should_stop, room)
        with (
            float32_products(group[0].runs[0].recipe.precision),
            one_thread(),
            ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool,
        ):
            threads = [pool.submit(partial(train_in_lane, shared)) for _ in range(lanes)]
            # Only this thread receives Ctrl-C, and only between two waits.
            while wait(threads, PATIENCE_SECONDS).not_done:
                pass
        for thread in threads:
            thread.result()  # raises what the lane raised
