"""What `run` shows while it trains: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from grokbench import amounts
from grokbench.plan import Cohort, Plan
from grokbench.record import Record, Status
from grokbench.session import Watcher


class Tally:
    """How far the wanted cohorts have come, and how long the rest may take.

    `clock` gives seconds; time left is the time taken so far, scaled by the work still to do.
    """

    def __init__(self, wanted: Sequence[Cohort], clock: Callable[[], float]) -> None:
        self.cohorts = len(wanted)
        self.runs = sum(len(cohort.runs) for cohort in wanted)
        self.cohorts_done = 0
        self.runs_done = 0
        self._work = sum(cohort.work for cohort in wanted)
        self._work_done: dict[str, float] = {}
        self._resumed = 0.0
        self._accuracy: dict[str, float] = {}
        self._clock = clock
        self._begun = clock()

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        done = cohort.work * step / steps(cohort)
        if cohort.id not in self._work_done:
            self._resumed += done
        self._work_done[cohort.id] = done
        self._accuracy[cohort.id] = validation_accuracy

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.runs_done += len(records)
        if len(records) == len(cohort.runs):
            self._work_done[cohort.id] = cohort.work
            self.cohorts_done += 1

    @property
    def share(self) -> float:
        """How much of the work is done: 0 to 1."""
        return sum(self._work_done.values()) / self._work if self._work else 1.0

    def accuracy(self, cohort: Cohort) -> str:
        """The validation accuracy last heard of, in words; empty when there is none."""
        value = self._accuracy.get(cohort.id, math.nan)
        return "" if math.isnan(value) else f"validation accuracy {value:.2f}"

    def time_left(self) -> str:
        """In words; empty as long as nothing is known."""
        if not 0 < self.share < 1:
            return ""
        done = sum(self._work_done.values())
        taken, here = self._clock() - self._begun, done - self._resumed
        return f"about {amounts.duration(taken * (self._work - done) / here)} left" if here else ""

    def done(self) -> str:
        return (
            f"{self.runs_done}/{amounts.count(self.runs, 'run')}, "
            f"{self.cohorts_done}/{amounts.count(self.cohorts, 'cohort')}"
        )


QUIET = 20.0
"""Seconds after which a log is due another line, if there is news."""


class Lines(Watcher):
    """For logs: a line before training, one a finished cohort, and one whenever it was long quiet."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.tally = Tally((), clock)
        self._spoke = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """There is nothing to take down."""

    def planned(self, plan: Plan, wanted: Sequence[Cohort]) -> None:
        self.tally = Tally(wanted, self.clock)
        ended = sum(len(cohort.runs) for cohort in plan.cohorts)
        ended -= sum(len(cohort.runs) for cohort in plan.missing)
        failed = sum(one.failed for one in plan.experiments)
        if ended:
            among = f", {failed} of them failed" if failed else ""
            self.console.print(f"{amounts.count(ended, 'run')} already trained and stored{among}.")
        if wanted:
            self.console.print(
                f"Training {amounts.count(self.tally.runs, 'run')} "
                f"in {amounts.count(self.tally.cohorts, 'cohort')}."
            )
        self._spoke = self.clock()

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.tally.advanced(cohort, step, validation_accuracy)
        if self.clock() - self._spoke >= QUIET:
            self._tell(cohort, f"step {step} of {steps(cohort)}")

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.tally.finished(cohort, records)
        self._tell(cohort, unfinished(records))

    def lost(self, cohort: Cohort, message: str) -> None:
        self.console.print(f"{cohort.label}: {message}", soft_wrap=True)

    def _tell(self, cohort: Cohort, news: str) -> None:
        """One line about everything, with the news of one cohort."""
        tally = self.tally
        facts = (tally.done(), cohort.label, news, tally.accuracy(cohort), tally.time_left())
        self.console.print(" · ".join(fact for fact in facts if fact), soft_wrap=True)
        self._spoke = self.clock()


class Bars(Lines):
    """A bar for everything and one for each cohort in training, on a terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
        )
        self.all = self.bars.add_task("", total=1.0, visible=False, note="")
        self.cohorts: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def planned(self, plan: Plan, wanted: Sequence[Cohort]) -> None:
        super().planned(plan, wanted)
        self._show(visible=bool(wanted))

    def started(self, cohort: Cohort) -> None:
        self.cohorts[cohort.id] = self.bars.add_task(
            f"  {cohort.label}", total=steps(cohort), note=""
        )

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.tally.advanced(cohort, step, validation_accuracy)
        if cohort.id in self.cohorts:
            self.bars.update(
                self.cohorts[cohort.id], completed=step, note=self.tally.accuracy(cohort)
            )
        self._show(visible=True)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.tally.finished(cohort, records)
        self._take_down(cohort)
        if trouble := unfinished(records):
            self.console.print(f"{cohort.label}: {trouble}")
        self._show(visible=True)

    def lost(self, cohort: Cohort, message: str) -> None:
        super().lost(cohort, message)
        self._take_down(cohort)

    def _take_down(self, cohort: Cohort) -> None:
        if cohort.id in self.cohorts:
            self.bars.remove_task(self.cohorts.pop(cohort.id))

    def _show(self, *, visible: bool) -> None:
        self.bars.update(
            self.all,
            completed=self.tally.share,
            description=self.tally.done(),
            note=self.tally.time_left(),
            visible=visible,
        )


def watcher(console: Console) -> Lines:
    """Bars on a terminal, lines elsewhere."""
    return Bars(console) if console.is_terminal else Lines(console)


def steps(cohort: Cohort) -> int:
    """The last step of a cohort."""
    return max(run.recipe.steps for run in cohort.runs)


def unfinished(records: Sequence[Record]) -> str:
    """How many runs diverged or failed, with the first message; empty when none did."""
    parts = []
    for status, verb in ((Status.DIVERGED, "diverged"), (Status.FAILED, "failed")):
        those = [record for record in records if record.status is status]
        if those:
            parts.append(f"{amounts.count(len(those), 'run')} {verb}")
            if those[0].message:
                parts[-1] += f" ({those[0].message.strip().splitlines()[-1]})"
    return ", ".join(parts)
