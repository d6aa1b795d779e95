"""The cost of training what a suite still needs: time, memory and disk on this machine."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grokbench.assignment import Assignment, assign, check_numbers, missing_data, worker_count
from grokbench.plan import Cohort, Plan, shape_of
from grokbench.plugins import Plugins, guard
from grokbench.prospects import (
    Prospect,
    prospects_of,
    runs_in_all,
    samples,
    seconds_for,
    seconds_of_work,
)
from grokbench.record import Run
from grokbench.schema import METRICS
from grokbench.suite import Suite
from grokbench.training.cost import measure_costs
from grokbench.training.device import why_untrainable
from grokbench.training.programs import probed


@dataclass(frozen=True)
class Forecast:
    """A plan, and the cost of training the cohorts that were asked for."""

    plan: Plan
    cohorts: tuple[Cohort, ...]
    """The missing cohorts that were asked for and that this device can train."""
    seconds: float | None
    """Wall time with all worker processes; None if not measured."""
    memory: int | None
    """Bytes, of all worker processes together; None if not measured or not measurable."""
    disk: int
    """Bytes, before compression."""
    notes: tuple[str, ...]
    """Why some cohorts are slower than others, or cannot be trained on this device."""
    prospects: tuple[Prospect, ...] = ()
    """What deciding each claim would take; empty before the first run has ended."""
    deciding: float | None = None
    """Seconds for the runs of all prospects, which claims may share; None if not measured."""


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
    """Find what a suite still needs, and what training costs. Nothing is stored.

    Args:
        suite, out, only, seeds, device, jobs, shard, retry_failed, files: as for `run_suite`.
        measure: train each kind of cohort for a moment, and measure time and memory.

    Raises:
        SuiteError: a mistake in the suite.
        UnknownNameError: `only` names an experiment that the suite does not have.
        DeviceError: the device is not there.
        ResultsError: the results folder holds something that grokbench did not write.
        ValueError: `jobs`, `seeds` or `shard` is out of its range.
    """
    check_numbers(jobs, seeds, shard)
    asked = assign(
        suite,
        out,
        files,
        only=only,
        seeds=seeds,
        device=device,
        shard=shard,
        retry_failed=retry_failed,
    )
    plugins = asked.suite.plugins
    cohorts = tuple(cohort for cohort in asked.cohorts if asked.can_train(cohort.runs[0]))
    disk = sum(curve_bytes(run, plugins) for cohort in cohorts for run in cohort.runs)
    notes = _of_modules(cohorts, plugins) + _left_out(asked) + _look_by_look(asked)
    prospects = prospects_of(asked.suite, asked.store.records())
    further = runs_in_all(prospects)
    if not measure or not (cohorts or further):
        return Forecast(asked.plan, cohorts, None, None, disk, notes, prospects)
    precisions = {run.recipe.precision for run in further}
    untrainable = why_untrainable(precisions, device)
    lacking = missing_data(further, plugins)
    trainable = [
        run
        for run in further
        if run.recipe.precision not in untrainable and run.task not in lacking
    ]
    measured = samples(asked.suite, trainable, device)
    workers = worker_count(jobs, device, len(cohorts))
    costs = measure_costs((*cohorts, *measured), plugins, jobs=workers, device=device)
    seconds = makespan([costs.cohorts[cohort.id].seconds(cohort) for cohort in cohorts], workers)
    notes += tuple(
        f"{cohort.label}: steps are launched one by one and take longer; {reason}"
        for cohort in cohorts
        if (reason := costs.cohorts[cohort.id].refused)
    )
    memory = max((cost.memory for cost in costs.cohorts.values()), default=0) * workers
    rates = seconds_of_work(measured, costs)

    def deciding(runs: Sequence[Run]) -> float | None:
        cores = worker_count(jobs, device, len(runs))
        return seconds_for(asked.suite, runs, device, rates, cores) if runs else None

    return Forecast(
        asked.plan,
        cohorts,
        costs.workers + seconds if cohorts else None,
        memory or None,
        disk,
        notes,
        tuple(replace(one, seconds=deciding(one.runs)) for one in prospects),
        deciding(further),
    )


def _of_modules(cohorts: Sequence[Cohort], plugins: Plugins) -> tuple[str, ...]:
    """A note for each cohort whose runs cannot be trained, or not stacked. Each shape is tried once."""
    shapes = {shape_of(cohort.runs[0]): cohort for cohort in cohorts}
    found = {shape: probed(cohort.runs, plugins) for shape, cohort in shapes.items()}
    notes = []
    for cohort in cohorts:
        how = found[shape_of(cohort.runs[0])]
        if how.error:
            notes.append(f"{cohort.label}: cannot be trained, and runs will fail; {how.error}")
        elif how.why_one_by_one:
            notes.append(f"{cohort.label}: one run after the other; {how.why_one_by_one}")
    return tuple(notes)


def _look_by_look(asked: Assignment) -> tuple[str, ...]:
    """What the counts of a sequential suite mean."""
    if asked.suite.sequential is None:
        return ()
    most = asked.suite.sequential.looks[-1]
    now = "this is the next look" if asked.cohorts else "no claim waits for these runs"
    return (
        f"{now}; the table counts all looks, up to "
        f"{most} seeds of every cell, and claims that have ended need no more of them",
    )


def _left_out(asked: Assignment) -> tuple[str, ...]:
    """A note for each precision in which this device cannot compute, and for each lack of data."""
    notes = []
    for precision, reason in asked.untrainable.items():
        runs = sum(
            len(cohort.runs)
            for cohort in asked.cohorts
            if cohort.runs[0].recipe.precision == precision
        )
        notes.append(f"{runs} runs ask for precision {precision!r} and are left out: {reason}")
    for task, reason in asked.lacking.items():
        runs = sum(len(cohort.runs) for cohort in asked.cohorts if cohort.runs[0].task == task)
        notes.append(f"{runs} runs of {task} are left out: {reason}")
    return tuple(notes)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """The time after which the last worker ends, if each takes the next cohort when it is free."""
    free_at = [0.0] * workers
    for needed in seconds:
        heapq.heapreplace(free_at, free_at[0] + needed)
    return max(free_at)


def curve_bytes(run: Run, plugins: Plugins) -> int:
    """The size of a run's curves in the dataset: float32 values, before compression."""
    with guard(f"task {run.task.name!r}"):
        parts = len(plugins.tasks[run.task.name].from_options(run.task.options).parts)
    return 4 * (len(METRICS) * parts + 1) * len(run.recipe.evaluation_steps())
