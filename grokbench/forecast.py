"""What a suite still needs, and what that will take on this machine."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grokbench.plan import Cohort, Plan, make_plan, shape_of
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.schema import METRICS
from grokbench.store import Store
from grokbench.suite import Suite, load_suite
from grokbench.training.cost import measure_costs
from grokbench.training.device import check_device, why_untrainable
from grokbench.training.programs import why_one_by_one


@dataclass(frozen=True)
class Forecast:
    """A plan, and what the rest of it will take on this machine."""

    plan: Plan
    cohorts: tuple[Cohort, ...]
    """Those asked about that are missing and that this device can train."""
    seconds: float | None
    """Wall time with all worker processes; None when it was not measured."""
    memory: int | None
    """Bytes, of all worker processes; None when it was not measured or cannot be."""
    disk: int
    """Bytes, before compression."""
    notes: tuple[str, ...]
    """Which cohorts are trained one run after the other, or not at all here, and why."""


def plan_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    seeds: int | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    shard: tuple[int, int] | None = None,
    retry_failed: bool = False,
    measure: bool = True,
    files: Sequence[Path] = (),
) -> Forecast:
    """Say what a suite still needs; nothing is stored.

    Args:
        suite, out, only, seeds, device, jobs, shard, retry_failed, files: as for `run_suite`; with
            more than one job, a script must call this under `if __name__ == "__main__":`, too.
        measure: train each kind of cohort for a moment, to know what all will cost.

    Raises:
        SuiteError: a mistake in the suite.
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there.
        ResultsError: the results folder holds something that grokbench did not write.
    """
    suite = suite if isinstance(suite, Suite) else load_suite(suite, files)
    check_device(device)
    plugins = suite.plugins
    store = Store(Path(out) if out is not None else Path("results") / suite.name, suite.name)
    plan = make_plan(suite, plugins, store.records(), device=device, retry_failed=retry_failed)
    wanted = plan.wanted(suite, only=only, seeds=seeds, shard=shard)
    why = why_untrainable({run.recipe.precision for one in wanted for run in one.runs}, device)
    left = tuple(cohort for cohort in wanted if cohort.runs[0].recipe.precision not in why)
    shapes = {shape_of(cohort.runs[0]): cohort for cohort in left}
    reasons = {shape: why_one_by_one(cohort.runs, plugins) for shape, cohort in shapes.items()}
    disk = sum(curve_bytes(run, plugins) for cohort in left for run in cohort.runs)
    notes = tuple(
        f"{cohort.label}: one run after the other; {reasons[shape_of(cohort.runs[0])]}"
        for cohort in left
        if reasons[shape_of(cohort.runs[0])]
    )
    for precision, reason in why.items():
        asking = sum(len(one.runs) for one in wanted if one.runs[0].recipe.precision == precision)
        notes += (f"{asking} runs ask for precision {precision!r} and are left out: {reason}",)
    if not measure or not left:
        return Forecast(plan, left, None, None, disk, notes)
    workers = worker_count(jobs, device, len(left))
    costs = measure_costs(left, plugins, jobs=workers, device=device)
    seconds = makespan([costs.cohorts[cohort.id].seconds(cohort) for cohort in left], workers)
    refused = {cohort.label: costs.cohorts[cohort.id].refused for cohort in left}
    notes += tuple(
        f"{label}: steps are launched one by one and take longer; {why}"
        for label, why in refused.items()
        if why
    )
    memory = max((cost.memory for cost in costs.cohorts.values()), default=0) * workers
    return Forecast(plan, left, costs.workers + seconds, memory or None, disk, notes)


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


def worker_count(jobs: int | None, device: str, cohorts: int) -> int:
    """How many processes train: `jobs`, or one a core on a CPU and one for all on a GPU."""
    return max(1, min(jobs or (usable_cores() if device == "cpu" else 1), cohorts))


def usable_cores() -> int:
    """How many cores this process may run on."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
