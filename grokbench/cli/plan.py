"""`grokbench plan`: what is done, what is missing, and what training costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grokbench import amounts
from grokbench.cli import options
from grokbench.cli.console import console, print_json, say, say_what_is_done, table

if TYPE_CHECKING:
    from grokbench.forecast import Forecast
    from grokbench.prospects import Prospect


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

    Nothing is stored. The options choose the same runs as those of `grokbench run`. The plugins that
    SUITE names are executed.

    A "shared" run belongs to an earlier experiment of the suite as well, and is trained once. A
    cohort is a group of runs of one shape that are trained together. The time is the wall time with
    all worker processes at work. The speed is measured now, with the present load of the machine.

    Where results are there, the plan also says which claims are decided, and what deciding the
    others would take if further seeds behave like those seen: how many seeds, how many more runs,
    and how long they train here; or why no number of seeds will do.
    """
    say_what_is_done(f"Reading {suite}")
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
        say(
            f"To train: {amounts.count(runs, 'run')} "
            f"in {amounts.count(len(forecast.cohorts), 'cohort')}{expense(forecast)}"
        )
    else:
        say("Nothing to train.")
    for note in forecast.notes:
        say(f"  {note}")
    if runs and not measured:
        say("  The time was not measured (--no-measure).")
    show_claims(forecast)
    if plan.stale:
        say(
            f"{amounts.count(plan.stale, 'record')} belong to no run of this suite any more, because "
            "the suite or the version of a plugin has changed. The records are kept."
        )


def show_claims(forecast: Forecast) -> None:
    """How many claims are decided, and what each of the others would take."""
    from grokbench.prospects import runs_in_all

    prospects = forecast.prospects
    if not prospects:
        return
    still_open = [one for one in prospects if not one.verdict.outcome.decided]
    decided = len(prospects) - len(still_open)
    say(f"Claims: {decided} of {len(prospects)} decided.")
    if not still_open:
        return
    counts = ("seeds", "expected", "more runs", "time")
    claims = table("claim", "verdict", *counts, right=counts)
    for one in still_open:
        verdict = one.verdict
        claims.add_row(
            verdict.claim.name,
            verdict.outcome.description,
            str(verdict.finding.seeds) if verdict.finding else "",
            str(expected) if (expected := expected_seeds(one)) else "",
            str(len(one.runs)) if one.seeds else "",
            f"about {amounts.duration(one.seconds)}" if one.seconds is not None else "",
        )
    console().print(claims)
    for one in still_open:
        if one.seeds is None:
            say(f"{one.verdict.claim.name}: {words_of(one)}")
    answered = [one for one in still_open if one.seeds is not None]
    if answered:
        took = "" if forecast.deciding is None else f": about {amounts.duration(forecast.deciding)}"
        runs = amounts.count(len(runs_in_all(answered)), "run")
        say(f"To decide {amounts.count(len(answered), 'claim')}: {runs}{took}")


def expected_seeds(prospect: Prospect) -> int | None:
    outlook = prospect.verdict.outlook
    return None if outlook is None else outlook.seeds


def words_of(prospect: Prospect) -> str:
    """What deciding an open claim would take, or why nothing in this suite is expected to do it."""
    outlook = prospect.verdict.outlook
    return prospect.verdict.reason if outlook is None else outlook.reason


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
        "claims": [
            {
                "claim": one.verdict.claim.name,
                "outcome": one.verdict.outcome.value,
                "seeds": one.verdict.finding and one.verdict.finding.seeds,
                "expected_seeds": expected_seeds(one),
                "words": None if one.verdict.outcome.decided else words_of(one),
                "runs": len(one.runs),
                "seconds": one.seconds,
            }
            for one in forecast.prospects
        ],
        "deciding_seconds": forecast.deciding,
    }
