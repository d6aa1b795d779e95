"""`grokbench plan`: what is done, what is missing, and what training costs."""

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
@options.chosen_runs
@click.option(
    "--measure/--no-measure",
    default=True,
    help="Train each kind of cohort for a moment, to measure time and memory.",
)
@options.as_json
def plan(suite: Path, plugin: tuple[Path, ...], measure: bool, json: bool, **chosen: Any) -> None:
    """Show what SUITE still needs, and how long training takes.

    Nothing is stored. The options choose the same runs as those of `grokbench run`.

    A "shared" run belongs to an earlier experiment of the suite as well, and is trained once. A
    cohort is a group of runs of one shape that are trained together. The time is the wall time with
    all worker processes at work. The speed is measured now, with the present load of the machine.
    """
    from grokbench.forecast import plan_suite

    forecast = plan_suite(suite, files=plugin, measure=measure, **chosen)
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
        click.echo("  The time was not measured (--no-measure).")
    if plan.stale:
        click.echo(
            f"{amounts.count(plan.stale, 'record')} belong to no run of this suite any more, because "
            "the suite or the version of a plugin has changed. The records are kept."
        )


def expense(forecast: Forecast) -> str:
    """Time, memory and disk in words, as far as they were measured."""
    known = []
    if forecast.seconds is not None:
        known.append(f"about {amounts.duration(forecast.seconds)}")
    if forecast.memory is not None:
        known.append(f"{amounts.size(forecast.memory)} of memory")
    known.append(f"{amounts.size(forecast.disk)} of disk")
    return ": " + ", ".join(known)


def document(forecast: Forecast) -> dict[str, Any]:
    """The plan for `--json`. A value that was not measured is null."""
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
