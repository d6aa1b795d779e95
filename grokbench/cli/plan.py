"""`grokbench plan`: what is done, what is missing, and how long it will take."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grokbench.cli import amounts, options
from grokbench.cli.console import console, print_json, table

if TYPE_CHECKING:
    from grokbench.plan import Plan


@click.command()
@options.suite_file
@options.output_folder
@options.device
@options.jobs
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
    device: str,
    jobs: int | None,
    measure: bool,
    plugin: tuple[Path, ...],
    json: bool,
) -> None:
    """Show what SUITE still needs, and how long it will take.

    Nothing is stored.
    """
    from grokbench.plan import make_plan
    from grokbench.plugins import Plugins
    from grokbench.session import usable_cores
    from grokbench.store import Store
    from grokbench.suite import load_suite
    from grokbench.training.cost import measure_costs

    asked = load_suite(suite, plugin)
    plugins = Plugins.load(asked.plugins)
    store = Store(out or Path("results") / asked.name, asked.name)
    made = make_plan(asked, plugins, store.records(), device=device)
    seconds = None
    if measure:
        costs = measure_costs(made.missing, plugins, device)
        workers = jobs or (usable_cores() if device == "cpu" else 1)
        seconds = makespan([costs[cohort.id].seconds(cohort) for cohort in made.missing], workers)
    if json:
        print_json(document(made, seconds))
    else:
        show(made, seconds)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last worker ends, each taking the next cohort as soon as it is free."""
    free_at = [0.0] * workers
    for needed in seconds:
        heapq.heapreplace(free_at, free_at[0] + needed)
    return max(free_at)


def show(plan: Plan, seconds: float | None) -> None:
    counts = ("runs", "done", "diverged", "failed", "missing", "shared")
    experiments = table("experiment", *counts, right=counts)
    for experiment in plan.experiments:
        numbers = [getattr(experiment, name) for name in counts]
        experiments.add_row(experiment.name, *map(str, numbers))
    console().print(experiments)
    missing = sum(len(cohort.runs) for cohort in plan.missing)
    if missing:
        time = "" if seconds is None else f", about {amounts.duration(seconds)}"
        click.echo(
            f"To train: {amounts.count(missing, 'run')} "
            f"in {amounts.count(len(plan.missing), 'cohort')}{time}"
        )
    else:
        click.echo("Nothing to train.")
    if plan.stale:
        click.echo(
            f"{amounts.count(plan.stale, 'record')} belong to no run of this suite any more: the "
            "suite, or the version of a plugin, has changed since. They are kept."
        )


def document(plan: Plan, seconds: float | None) -> dict[str, Any]:
    """The plan for `--json`; `seconds` is null when it was not measured."""
    return {
        "experiments": [asdict(experiment) for experiment in plan.experiments],
        "missing": [
            {
                "cohort": cohort.id,
                "label": cohort.label,
                "runs": [run.id for run in cohort.runs],
                "work": cohort.work,
            }
            for cohort in plan.missing
        ],
        "stale": plan.stale,
        "seconds": seconds,
    }
