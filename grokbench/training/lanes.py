"""Cohorts side by side on one device, in lanes: a thread and a stream of its own for each.

One small cohort leaves most of a large GPU idle, and cohorts of different sizes cannot be stacked.
So several are trained at once in one process, as long as they do not need more memory together than
one cohort may alone. Each computes what it would compute alone, to the bit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from grokbench.plan import COHORT_BYTES, Cohort
from grokbench.plugins import Plugins
from grokbench.training.checkpoints import Checkpoints, Safekeeping
from grokbench.training.loop import products, train
from grokbench.training.process import one_thread

if TYPE_CHECKING:
    from grokbench.training.workers import Events

LANES = {"cuda": 4}
"""How many cohorts at most share a device of this kind; one on any other. Four is a guess that no
measurement stands behind yet: see benchmarks/README.md."""

PATIENCE_SECONDS = 0.1
"""How often a lane that waits for memory looks whether it should stop."""


class Lanes:
    """The cohorts that wait for a lane, and those that are in one.

    Args:
        cohorts: in the order in which they are begun.
        told: whether no more should be begun.
        room: how much memory cohorts side by side may be estimated to need; one alone always may.
    """

    def __init__(self, cohorts: Iterable[Cohort], told: Callable[[], bool], room: float) -> None:
        self.waiting, self.asked, self.room = iter(cohorts), told, room
        self.next: Cohort | None = None
        self.running: list[Cohort] = []
        self.failed = False
        self.changed = threading.Condition()

    def told(self) -> bool:
        """Whether to stop: somebody said so, or another lane has failed."""
        return self.failed or self.asked()

    def enter(self) -> Cohort | None:
        """The next cohort, as soon as there is room for it; None when there is no more to do."""
        with self.changed:
            while not self.told():
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
    told: Callable[[], bool],
    deadline: float,
    lanes: int,
) -> None:
    """Train cohorts in so many lanes; what happens is told by one of them at a time.

    Where `told` says so, no more are begun, and those in training keep a checkpoint. So they do
    when a lane raises, which is raised on. What float32 products are rounded to is a setting of
    the whole process, so that cohorts that differ in it are never side by side.
    """
    room = COHORT_BYTES.get(torch.device(device).type, COHORT_BYTES["cuda"])
    speaking = threading.Lock()

    def drive(shared: Lanes) -> None:
        while (cohort := shared.enter()) is not None:
            failed = True
            try:
                drive_one(cohort, shared)
                failed = False
            finally:
                shared.leave(cohort, failed=failed)

    def drive_one(cohort: Cohort, shared: Lanes) -> None:
        def advance(step: int, accuracy: float) -> None:
            with speaking:
                events.advanced(cohort, step, accuracy)

        with speaking:
            events.started(cohort)
        safekeeping = Safekeeping(cohort.id, checkpoints, shared.told, deadline)
        records = train(cohort.runs, plugins, device, advance, safekeeping)
        with speaking:
            events.finished(cohort, records)

    for _, alike in groupby(cohorts, key=lambda cohort: cohort.runs[0].recipe.precision == "tf32"):
        group = list(alike)
        shared = Lanes(group, told, room)
        with (
            products(group[0].runs),
            one_thread(),
            ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool,
        ):
            driving = [pool.submit(partial(drive, shared)) for _ in range(lanes)]
            # Ctrl-C is heard by this thread alone, and only while it does not sleep.
            while wait(driving, PATIENCE_SECONDS).not_done:
                pass
        for lane in driving:
            lane.result()
