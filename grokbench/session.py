"""From a suite to its verdicts: what is missing is trained, stored and judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from grokbench.assignment import Assignment, assign, check_numbers, worker_count
from grokbench.claims import (
    Verdict,
    missing_at_next_look,
    score,
    verdicts_document,
    with_outlooks,
)
from grokbench.claims.changes import changed_plugins, plugin_warning
from grokbench.durable import encoded
from grokbench.errors import DataError, DeviceError
from grokbench.plan import Cohort, Plan
from grokbench.record import Record, Status
from grokbench.store import Store, collect_provenance, records_in, write_text
from grokbench.suite import Suite, load_suite
from grokbench.suite.declarations import declarations
from grokbench.switches import as_imported
from grokbench.training import Crew, Events, train_cohorts
from grokbench.training.checkpoints import CHECKPOINT_SECONDS, Checkpoints


class Watcher(Events):
    """Hears what happens during `run_suite`. Every method does nothing here."""

    def planned(self, plan: Plan, wanted: Sequence[Cohort]) -> None:
        """Called before training, with the plan and the cohorts that will be trained.

        In a sequential suite: called before each look.
        """

    def judged(self, verdicts: Sequence[Verdict]) -> None:
        """Called before each look of a sequential suite, with the verdicts on the results so far."""

    def warned(self, warning: str) -> None:
        """Called when something is amiss that does not undo or prevent earlier training."""


@dataclass(frozen=True)
class Sitting:
    """What one call of `run_suite` did, and the state of the results after the call."""

    folder: Path
    tree: xr.DataTree
    verdicts: tuple[Verdict, ...]
    trained: int
    """Runs that were trained in this call."""
    unfinished: int
    """Runs that this call set out to train and that have not ended."""
    remaining: int
    """Runs of the suite that are still missing. In a sequential suite: those that the open claims
    wait for at their next look."""
    failed: int
    """Runs of the suite whose task, architecture, optimizer or measure raised an error."""
    interrupted: bool
    lost: tuple[str, ...]
    """One message for each cohort of which runs are still missing because a worker process died or did
    not stop, or because memory was too small."""
    damaged: tuple[Path, ...]
    """Record files that were damaged and set aside. Their runs were missing and were trained."""
    plugins: tuple[Path, ...] = ()
    """The single-file plugins of the suite. Reading the results executes them only where they are given."""


@as_imported()
def run_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    seeds: int | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    budget: float | None = None,
    shard: tuple[int, int] | None = None,
    retry_failed: bool = False,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    watcher: Watcher | None = None,
    files: Sequence[Path] = (),
) -> Sitting:
    """Train the missing runs of a suite, store them, and judge the claims.

    A sequential suite is trained look by look, until no claim waits for more seeds or the budget ends.
    The same call continues where an earlier call stopped: a run that has ended is not trained again.
    Each cohort is stored when its training ends, and keeps checkpoints until then. A cohort that is
    continued from a checkpoint ends with the same bits.

    Args:
        suite: a suite, or the path of its file.
        out: the results folder; `results/<name>` by default.
        only: the names of the experiments to train; all experiments by default.
        seeds: train only the first `seeds` seeds of each experiment.
        device: "cpu", "cuda", …
        jobs: the number of worker processes; by default one for each usable core on a CPU (the
            affinity and a container's quota count), and one on a GPU. With one job, a suite is trained in the calling process if it has no
            plugins and no budget, and if none of its cohorts was lost before.
        budget: seconds after which training, storing and judging have ended. A cohort that is not
            finished by then keeps a checkpoint. A cohort that does not stop is lost.
        shard: (i, n), to train the i-th of n shares of the suite's cohorts, counted from 1.
        retry_failed: train the runs that raised an error again.
        checkpoint_every: seconds between two checkpoints of a cohort.
        watcher: hears of the progress.
        files: single-file plugins beside those that the suite names.

    Raises:
        SuiteError: a mistake in the suite; nothing has been written.
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there, or cannot compute in a precision that a run asks for;
            nothing has been written.
        DataError: data that a task needs are missing on this machine; nothing has been written.
        ResultsError: the results folder holds something that grokbench did not write, or cannot be
            written to.
        ValueError: `jobs`, `seeds`, `shard` or `budget` is out of its range.
    """
    begun = time.monotonic()
    check_numbers(jobs, seeds, shard, budget)
    watcher = watcher or Watcher()
    here = Path.cwd()  # found before any plugin runs, which may leave the folder, or remove it
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    folder = Path(out) if out is not None else Path("results") / suite.name
    asking = partial(
        assign, suite, here / folder, (), only=only, seeds=seeds, device=device, shard=shard
    )
    asked = asking(retry_failed=retry_failed)
    store = asked.store
    checkpoints = Checkpoints(store.folder / "checkpoints", checkpoint_every)
    recorder = Recorder(store, checkpoints, watcher, declare(suite, store, watcher))
    check_trainable(asked)
    unfinished, interrupted = train_looks(
        asked, partial(asking, retry_failed=False), recorder, device, jobs, budget, begun
    )
    checkpoints.tidy()

    recorder.notice_removal()
    records = store.records()
    # Record files without a dataset: an earlier call was killed before it could write provenance.
    unexplained = bool(records) and not store.path.exists()
    seconds = time.monotonic() - begun if recorder.trained or unexplained else None
    tree, verdicts = store_verdicts(suite, store, device, seconds)
    if suite.sequential is None:
        remaining = len(suite.runs().keys() - records.keys())
    else:
        remaining = len(set().union(*missing_at_next_look(suite, tree, verdicts).values()))
    if not remaining and not unfinished:
        checkpoints.clear()
    return Sitting(
        folder,
        tree,
        verdicts,
        trained=recorder.trained,
        unfinished=unfinished,
        remaining=remaining,
        failed=sum(1 for record in records_in(tree).values() if record.status is Status.FAILED),
        interrupted=interrupted,
        lost=tuple(recorder.losses),
        damaged=tuple(store.damaged),
        plugins=suite.plugins.files,
    )


def train_looks(
    asked: Assignment,
    again: Callable[[], Assignment],
    recorder: Recorder,
    device: str,
    jobs: int | None,
    budget: float | None,
    begun: float,
) -> tuple[int, bool]:
    """Train the cohorts that were asked for; in a sequential suite, look by look.

    Args:
        again: what is asked for after a look.
        begun: the moment of `time.monotonic` at which the budget began.

    Returns:
        How many runs of the last look have not ended, and whether training was interrupted.
    """
    watcher, checkpoints = recorder.watcher, recorder.checkpoints
    limits = {} if budget is None else time_limits(budget, begun)
    with Crew() as crew:
        while True:
            recorder.notice_removal()
            if asked.cohorts:
                recorder.store.check_writable()
            if asked.verdicts:
                watcher.judged(asked.verdicts)
            watcher.planned(asked.plan, asked.cohorts)
            before, runs = recorder.trained, sum(len(cohort.runs) for cohort in asked.cohorts)
            number = worker_count(jobs, device, len(asked.cohorts))
            here = (
                number == 1 and not crew.members and not needs_process(asked, checkpoints, budget)
            )
            interrupted = False
            try:
                train_cohorts(
                    asked.cohorts,
                    asked.suite.plugins,
                    recorder,
                    jobs=number,
                    device=device,
                    checkpoints=checkpoints,
                    crew=None if here else crew,
                    **limits,
                )
            except KeyboardInterrupt:
                interrupted = True
            unfinished = runs - (recorder.trained - before)
            if asked.suite.sequential is None or interrupted or unfinished or not runs:
                return unfinished, interrupted
            try:
                # The next look: which runs it takes depends on what this look decided.
                asked = again()
                check_trainable(asked)
            except KeyboardInterrupt:
                return unfinished, True
            except (DeviceError, DataError) as error:
                # What was trained is still stored and judged.
                watcher.warned(f"warning: the next look cannot be trained here: {error}")
                return unfinished, False
            if not asked.cohorts:
                return unfinished, False


def needs_process(asked: Assignment, checkpoints: Checkpoints, budget: float | None) -> bool:
    """Whether cohorts must be trained in another process even where there is one job.

    Code of a plugin can end its process or hang, and so can a cohort that was lost before. A worker
    process then loses its cohort alone, and is killed when a budget ends.
    """
    return bool(asked.cohorts) and (
        budget is not None
        or any(checkpoints.was_lost(cohort.id) for cohort in asked.cohorts)
        or not asked.suite.plugins.are_built_in(
            {used for cohort in asked.cohorts for run in cohort.runs for used in run.definitions}
        )
    )


def check_trainable(asked: Assignment) -> None:
    """Check that the device can compute in every precision that a run asks for, and that all data are there.

    Raises:
        DeviceError: the device cannot. The message says why, which experiments ask for the
            precision, and how to train the other experiments.
        DataError: data are missing. The message says where to get them, and the same as above.
    """
    if asked.untrainable:
        reasons = "; ".join(
            f"precision {precision!r} is not available: {reason}"
            for precision, reason in asked.untrainable.items()
        )
        raise DeviceError(reasons + hint_of_others(asked))
    if asked.lacking:
        raise DataError("; ".join(asked.lacking.values()) + hint_of_others(asked))


def hint_of_others(asked: Assignment) -> str:
    """How to train the experiments that this machine can train; empty if it can train none."""
    missing = {run.id for cohort in asked.cohorts for run in cohort.runs}
    experiments = asked.suite.experiments
    without = {
        name
        for name, experiment in experiments.items()
        for _, run in experiment.grid()
        if run.id in missing and not asked.can_train(run)
    }
    others = " ".join(f"--only {name}" for name in experiments if name not in without)
    return f"; without {', '.join(sorted(without))}: {others}" if others else ""


class Recorder(Events):
    """Stores the records of each cohort that ends, then tells the watcher.

    The suite's declarations are stored when a cohort begins, and each record file carries them: what
    decides the verdicts was fixed before.
    """

    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        watcher: Watcher,
        declared: Mapping[str, Any],
    ) -> None:
        self.store, self.checkpoints, self.watcher = store, checkpoints, watcher
        self.declared = declared
        self.trained = 0
        self.losses: list[str] = []

    def started(self, cohort: Cohort) -> None:
        self.notice_removal()
        self.store.begin(cohort.id, [run.id for run in cohort.runs], self.declared)
        self.watcher.started(cohort)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.watcher.advanced(cohort, step, validation_accuracy)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.notice_removal()
        if records:
            self.store.finish(cohort.id, records, self.declared)
        if len(records) == len(cohort.runs):
            self.checkpoints.forget(cohort.id)
        self.trained += len(records)
        self.watcher.finished(cohort, records)

    def notice_removal(self) -> None:
        """Warn if somebody removed the results folder, or a part of it, after training had begun."""
        if self.store.removed():
            self.watcher.warned(
                f"warning: {self.store.folder} was removed while its runs were trained. What had been stored "
                f"there is lost, and the same command trains it again"
            )

    def lost(self, cohort: Cohort, message: str) -> None:
        self.checkpoints.mark_lost(cohort.id)
        self.losses.append(f"{cohort.label}: {message}")
        self.watcher.lost(cohort, message)


def declare(suite: Suite, store: Store, watcher: Watcher) -> dict[str, Any]:
    """What is stored with the runs of this sitting: the declarations of the suite's claims.

    The watcher is warned of plugins that were changed after runs had been trained with them.
    """
    declared = declarations(suite)
    if declared["plugins"]:
        for plugin in changed_plugins(suite, store.declarations(), declared):
            watcher.warned(plugin_warning(plugin))
    return declared


def time_limits(budget: float, begun: float) -> dict[str, Any]:
    """When training stops, and how long workers have for their last checkpoints.

    One share of the budget is kept for the checkpoints, and one for the dataset and the verdicts: 4 s
    and 1 % of the budget each, or an eighth of a small budget.
    """
    kept = min(budget / 8, 4.0 + budget / 100)
    return {"deadline": begun + budget - 2 * kept, "grace": kept}


def store_verdicts(
    suite: Suite, store: Store, device: str, seconds: float | None
) -> tuple[xr.DataTree, tuple[Verdict, ...]]:
    """Write the dataset and `verdicts.json`. A file whose content would not change stays as it is."""
    versions = {origin.name: origin.version for origin in suite.plugins.origins()}
    provenance = collect_provenance(
        suite, store.folder, device=device, plugins=versions, seconds=seconds
    )
    tree = store.assemble(suite, provenance)
    verdicts = with_outlooks(suite, tree, score(suite, tree, suite.plugins.detectors))
    document = verdicts_document(suite, verdicts, tree)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path = store.folder / "verdicts.json"
    if not path.exists() or path.read_bytes() != encoded(text):
        write_text(path, text)
    return tree, verdicts
