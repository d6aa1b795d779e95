"""`grokbench plan`: what is done, what is missing, and how long it will take."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grokbench import amounts
from grokbench.cli import options
from grokbench.cli.console import console, print_json, table

if TYPE_CHECKING:
    from grokbench.forecast import Forecast


@click.command()
@options.suite_file
@options.output_folder
@options.only
@options.device
@options.jobs
@options.shard
@options.seeds
@options.retry_failed
@click.option(
    "--measure/--no-measure",
    default=True,
    help="Train each kind of cohort for a moment, to say how long all will take.",
)
@options.plugin_files
@options.as_json
def plan(
    suite: Path,
    out: Path | None,
    only: tuple[str, ...],
    device: str,
    jobs: int | None,
    shard: tuple[int, int] | None,
    seeds: int | None,
    retry_failed: bool,
    measure: bool,
    plugin: tuple[Path, ...],
    json: bool,
) -> None:
    """Show what SUITE still needs, and how long it will take.

    Nothing is stored. What is asked about is chosen as `grokbench run` chooses what it trains.
    "Shared" runs belong to an earlier experiment of the suite, too, and are trained once; a cohort is
    runs of one shape that are trained together. The time is from start to end with all
    worker processes at work, as measured just now, on the machine as busy as it is.
    """
    from grokbench.forecast import plan_suite

    forecast = plan_suite(
        suite,
        out,
        only=only,
        seeds=seeds,
        device=device,
        jobs=jobs,
        shard=shard,
        retry_failed=retry_failed,
        measure=measure,
        files=plugin,
    )
    if json:
        print_json(document(forecast))
    else:
        show(forecast, measured=measure)


def show(forecast: Forecast, *, measured: bool) -> None:
    plan = forecast.plan
    counts = ("runs", "done", "diverged", "failed", "missing", "shared")
    experiments = table("experiment", *counts, right=counts)
    for experiment in plan.experiments:
        numbers = [getattr(experiment, name) for name in counts]
        experiments.add_row(experiment.name, *map(str, numbers))
    console().print(experiments)
    runs = sum(len(cohort.runs) for cohort in forecast.cohorts)
    if runs:
        click.echo(
            f"To train: {amounts.count(runs, 'run')} "
            f"in {amounts.count(len(forecast.cohorts), 'cohort')}{expense(forecast)}"
        )
    else:
        click.echo("Nothing to train.")
    for note in forecast.notes:
        click.echo(f"  {note}")
    if runs and not measured:
        click.echo("  How long that takes was not measured (--no-measure).")
    if plan.stale:
        click.echo(
            f"{amounts.count(plan.stale, 'record')} belong to no run of this suite any more: the "
            "suite, or the version of a plugin, has changed since. They are kept."
        )


def expense(forecast: Forecast) -> str:
    """Time, memory and disk, in words, as far as they are known."""
    known = []
    if forecast.seconds is not None:
        known.append(f"about {amounts.duration(forecast.seconds)}")
    if forecast.memory is not None:
        known.append(f"{amounts.size(forecast.memory)} of memory")
    known.append(f"{amounts.size(forecast.disk)} of disk")
    return ": " + ", ".join(known)


def document(forecast: Forecast) -> dict[str, Any]:
    """The plan for `--json`; what was not measured is null."""
    plan = forecast.plan
    return {
        "experiments": [asdict(experiment) for experiment in plan.experiments],
        "missing": [
            {
                "cohort": cohort.id,
                "label": cohort.label,
                "runs": [run.id for run in cohort.runs],
                "work": cohort.work,
            }
            for cohort in forecast.cohorts
        ],
        "stale": plan.stale,
        "seconds": forecast.seconds,
        "memory": forecast.memory,
        "disk": forecast.disk,
        "notes": list(forecast.notes),
    }
