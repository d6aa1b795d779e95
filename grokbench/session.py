"""The one way through the house: a suite in, trained, stored and scored."""

from __future__ import annotations

import heapq
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from grokbench.claims import Verdict, score, verdicts_document
from grokbench.errors import UnknownNameError, nearest
from grokbench.plan import Cohort, Plan, make_plan, shape_of
from grokbench.plugins import Plugins
from grokbench.record import METRICS, Record, Run, Status
from grokbench.store import Store, collect_provenance, write_text
from grokbench.suite import Suite, load_suite
from grokbench.training import Events, train_cohorts
from grokbench.training.cost import Cost, measure_costs, why_single
from grokbench.training.process import check_device


class Watcher(Events):
    """Told what happens during `run_suite`; every method does nothing here."""

    def planned(self, plan: Plan, wanted: Sequence[Cohort], costs: dict[str, Cost]) -> None:
        """Before training: the plan, the cohorts of this sitting, and what they were measured to
        cost (empty unless there is a budget).
        """


@dataclass(frozen=True)
class Sitting:
    """What one call of `run_suite` did, and how things stand now."""

    folder: Path
    tree: xr.DataTree
    verdicts: tuple[Verdict, ...]
    trained: int
    """Runs trained in this sitting."""
    remaining: int
    """Runs of the suite that are still missing."""
    failed: int
    """Runs of the suite whose task, architecture or optimizer raised an error."""
    interrupted: bool
    lost: tuple[str, ...]
    """What became of workers that died; their runs are among the remaining."""
    damaged: tuple[Path, ...]
    """Record files that were damaged and set aside; their runs were missing again."""


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
    watcher: Watcher | None = None,
    files: Sequence[Path] = (),
) -> Sitting:
    """Train what is missing of a suite, store it, and score the claims.

    The same call again continues where the last one stopped; a run that has ended is never trained
    twice. Each cohort is stored as it finishes, so whatever happens nothing finished is lost.

    Args:
        suite: a suite, or the path of its file.
        out: the results folder; `results/<name>` by default.
        only: experiments to train (all of them by default).
        seeds: train the first so many seeds of each experiment.
        device: "cpu", "cuda", …
        jobs: worker processes; as many as there are cores on a CPU, one on a GPU. With more than
            one, a script must call this under `if __name__ == "__main__":`, because each worker
            imports the script.
        budget: seconds after which no cohort is begun that would not end in time.
        shard: (i, n), the i-th of n shares of the suite's cohorts, counted from 1.
        retry_failed: train runs again that raised an error.
        watcher: told of progress.
        files: single-file plugins beside the suite's own.

    Raises:
        SuiteError: a mistake in the suite; nothing has been written.
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there; nothing has been written.
        ResultsError: the results folder holds something that grokbench did not write.
    """
    begun = time.monotonic()
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    for name in only:
        if name not in suite.experiments:
            hint = nearest(name, suite.experiments)
            raise UnknownNameError(f"suite {suite.name!r} has no experiment {name!r}; {hint}")
    watcher = watcher or Watcher()
    check_device(device)
    plugins = Plugins.load(suite.plugins)
    folder = Path(out) if out is not None else Path("results") / suite.name
    store = Store(folder, suite.name)
    plan = make_plan(suite, plugins, store.records(), device=device, retry_failed=retry_failed)
    wanted = plan.wanted(suite, only=only, seeds=seeds, shard=shard)
    jobs = max(1, min(jobs or default_jobs(device), len(wanted)))
    costs = measure_costs(wanted, plugins, device) if budget is not None else {}
    watcher.planned(plan, wanted, costs)

    desk = Desk(store, watcher)
    queue: Iterator[Cohort] = iter(wanted)
    if budget is not None:
        queue = within_budget(wanted, costs, begun + budget)
    try:
        train_cohorts(queue, suite.plugins, desk, jobs=jobs, device=device)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True

    seconds = time.monotonic() - begun if desk.trained else 0.0
    records = store.records()
    versions = {origin.name: origin.version for origin in plugins.origins()}
    provenance = collect_provenance(suite, device=device, plugins=versions, seconds=seconds)
    tree = store.assemble(suite, provenance)
    verdicts = score(suite, tree, plugins.detectors)
    document = json.dumps(verdicts_document(suite, verdicts), indent=2, ensure_ascii=False)
    write_text(folder / "verdicts.json", document + "\n")
    ids = suite.runs().keys()
    return Sitting(
        folder,
        tree,
        verdicts,
        trained=desk.trained,
        remaining=len(ids - records.keys()),
        failed=sum(1 for run in ids & records.keys() if records[run].status is Status.FAILED),
        interrupted=interrupted,
        lost=tuple(desk.losses),
        damaged=tuple(store.damaged),
    )


@dataclass(frozen=True)
class Forecast:
    """A plan, and what the rest of it will take on this machine."""

    plan: Plan
    seconds: float | None
    """Wall time with all worker processes; None when it was not measured."""
    memory: int | None
    """Bytes, of all worker processes; None when it was not measured or cannot be."""
    disk: int
    """Bytes, before compression."""
    notes: tuple[str, ...]
    """Which cohorts are trained one run after the other, and why."""


def plan_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    device: str = "cpu",
    jobs: int | None = None,
    measure: bool = True,
    files: Sequence[Path] = (),
) -> Forecast:
    """Say what a suite still needs; nothing is stored.

    Args:
        suite, out, device, jobs, files: as for `run_suite`.
        measure: train each kind of cohort for a moment, to know what all will cost.

    Raises:
        SuiteError: a mistake in the suite.
        ResultsError: the results folder holds something that grokbench did not write.
    """
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    check_device(device)
    plugins = Plugins.load(suite.plugins)
    store = Store(Path(out) if out is not None else Path("results") / suite.name, suite.name)
    plan = make_plan(suite, plugins, store.records(), device=device)
    left = plan.missing
    workers = max(1, min(jobs or default_jobs(device), len(left)))
    reasons = {shape_of(cohort.runs[0]): why_single(cohort, plugins) for cohort in left}
    disk = sum(curve_bytes(run, plugins) for cohort in left for run in cohort.runs)
    notes = tuple(
        f"{cohort.label}: one run after the other; {reasons[shape_of(cohort.runs[0])]}"
        for cohort in left
        if reasons[shape_of(cohort.runs[0])]
    )
    if not measure:
        return Forecast(plan, None, None, disk, notes)
    costs = measure_costs(left, plugins, device)
    seconds = makespan([costs[cohort.id].seconds(cohort) for cohort in left], workers)
    memory = peak_memory()
    return Forecast(plan, seconds, memory and memory * workers, disk, notes)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last worker ends, each taking the next cohort as soon as it is free."""
    free_at = [0.0] * workers
    for needed in seconds:
        heapq.heapreplace(free_at, free_at[0] + needed)
    return max(free_at)


def curve_bytes(run: Run, plugins: Plugins) -> int:
    """What a run's curves take, as they are stored."""
    parts = len(plugins.tasks[run.task.name].from_options(run.task.options).parts)
    return 4 * (len(METRICS) * parts + 1) * len(run.recipe.evaluation_steps())


def peak_memory() -> int | None:
    """The most bytes that this process has held so far; None where that cannot be asked."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Desk(Events):
    """Stores what comes in, then passes the news on."""

    def __init__(self, store: Store, watcher: Watcher) -> None:
        self.store, self.watcher = store, watcher
        self.trained = 0
        self.losses: list[str] = []

    def started(self, cohort: Cohort) -> None:
        self.watcher.started(cohort)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.watcher.advanced(cohort, step, validation_accuracy)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.store.save(cohort.id, records)
        self.trained += len(records)
        self.watcher.finished(cohort, records)

    def lost(self, cohort: Cohort, message: str) -> None:
        self.losses.append(f"{cohort.label}: {message}")
        self.watcher.lost(cohort, message)


def within_budget(
    cohorts: Sequence[Cohort], costs: dict[str, Cost], deadline: float
) -> Iterator[Cohort]:
    """The cohorts that can end before `deadline` (of `time.monotonic`), asked one by one."""
    for cohort in cohorts:
        if time.monotonic() + costs[cohort.id].seconds(cohort) <= deadline:
            yield cohort


def default_jobs(device: str) -> int:
    """One process a core on a CPU, one for all on a GPU."""
    return usable_cores() if device == "cpu" else 1


def usable_cores() -> int:
    """How many cores this process may run on."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
