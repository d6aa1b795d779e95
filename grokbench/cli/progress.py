"""The progress that `run` shows: bars on a terminal, and lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from grokbench import amounts
from grokbench.claims import Verdict
from grokbench.cli.console import say
from grokbench.plain import on_one_line
from grokbench.plan import Cohort, Plan
from grokbench.record import Record, Status
from grokbench.session import Watcher


class Tally:
    """The progress of the cohorts that are trained, and the time that the rest takes.

    The time left is the time taken so far, scaled by the work still to do. Work that a checkpoint had
    done before is not counted as done in that time.

    Args:
        wanted: the cohorts.
        clock: gives the time in seconds.
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
        """The share of the work that is done, from 0 to 1."""
        return sum(self._work_done.values()) / self._work if self._work else 1.0

    def accuracy(self, cohort: Cohort) -> str:
        """The latest validation accuracy in words; empty before the first evaluation."""
        value = self._accuracy.get(cohort.id, math.nan)
        return "" if math.isnan(value) else f"validation accuracy {value:.2f}"

    def time_left(self) -> str:
        """The time left in words; empty before the first progress."""
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
"""Seconds without a line after which the next evaluation is printed in a log."""


class Lines(Watcher):
    """For logs: a line before training, for each finished cohort, and after `QUIET` seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.tally = Tally((), clock)
        self._printed = clock()
        self._told: set[str] = set()

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
        self._printed = self.clock()

    def judged(self, verdicts: Sequence[Verdict]) -> None:
        """One line: how many claims have ended, and for which look the others wait."""
        waiting: dict[int, list[str]] = {}
        for verdict in verdicts:
            if verdict.next_look is not None:
                waiting.setdefault(verdict.next_look, []).append(verdict.claim.name)
        if any(verdict.looks for verdict in verdicts):
            news = [
                f"{verdict.claim.name} {verdict.outcome.description}"
                for verdict in verdicts
                if verdict.next_look is None and verdict.claim.name not in self._told
            ]
            self._told.update(v.claim.name for v in verdicts if v.next_look is None)
            ended = len(verdicts) - sum(map(len, waiting.values()))
            self.console.print(
                f"{ended} of {amounts.count(len(verdicts), 'claim')} ended"
                + (f" (now: {', '.join(news)})" if news else ""),
                soft_wrap=True,
            )
        for seeds, names in sorted(waiting.items()):
            self.console.print(f"Look at {seeds} seeds: {', '.join(names)}", soft_wrap=True)

    def warned(self, warning: str) -> None:
        say(warning, err=True)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.tally.advanced(cohort, step, validation_accuracy)
        if self.clock() - self._printed >= QUIET:
            self._print(cohort, f"step {step} of {steps(cohort)}")

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.tally.finished(cohort, records)
        self._print(cohort, unfinished(records))

    def lost(self, cohort: Cohort, message: str) -> None:
        self.console.print(f"{cohort.label}: {message}", soft_wrap=True)

    def _print(self, cohort: Cohort, news: str) -> None:
        """One line: the progress of all cohorts, then the news of one."""
        tally = self.tally
        facts = (tally.done(), cohort.label, news, tally.accuracy(cohort), tally.time_left())
        self.console.print(" · ".join(fact for fact in facts if fact), soft_wrap=True)
        self._printed = self.clock()


class Bars(Lines):
    """For terminals: a bar for all cohorts together, and one for each cohort in training."""

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

    def planned(self, plan: Plan, wanted: Sequence[Cohort]) -> None:
        super().planned(plan, wanted)
        self._show(visible=bool(wanted))

    def started(self, cohort: Cohort) -> None:
        self.cohorts[cohort.id] = self.bars.add_task(
            on_one_line(f"  {cohort.label}"), total=steps(cohort), note=""
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
        self._remove(cohort)
        if trouble := unfinished(records):
            self.console.print(f"{cohort.label}: {trouble}")
        self._show(visible=True)

    def lost(self, cohort: Cohort, message: str) -> None:
        super().lost(cohort, message)
        self._remove(cohort)

    def _remove(self, cohort: Cohort) -> None:
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


@contextmanager
def watching(console: Console) -> Iterator[Lines]:
    """Bars on a terminal, until the end of the block; lines elsewhere."""
    if console.is_terminal:
        shown = Bars(console)
        with shown.bars:
            yield shown
    else:
        yield Lines(console)


def steps(cohort: Cohort) -> int:
    """The last step of a cohort."""
    return max(run.recipe.steps for run in cohort.runs)


def unfinished(records: Sequence[Record]) -> str:
    """The numbers of diverged and of failed runs, each with its first message; empty if none."""
    parts = []
    for status, verb in ((Status.DIVERGED, "diverged"), (Status.FAILED, "failed")):
        those = [record for record in records if record.status is status]
        if those:
            parts.append(f"{amounts.count(len(those), 'run')} {verb}")
            if those[0].message:
                parts[-1] += f" ({those[0].message.strip().splitlines()[-1]})"
    return ", ".join(parts)
