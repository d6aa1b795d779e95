"""`grokbench run`: trains what is missing, stores it, and judges the claims."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grokbench import amounts
from grokbench.cli import options
from grokbench.cli.console import console, say, say_what_is_done
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.verdicts import print_verdicts

if TYPE_CHECKING:
    from grokbench.session import Sitting

CHECKPOINT_EVERY = "30s"


@click.command()
@options.chosen_runs
@click.option(
    "--budget",
    type=options.Duration(),
    metavar="TIME",
    help="End after this time (25m, 1h30m), with everything stored.",
)
@click.option(
    "--checkpoint-every",
    type=options.Duration(),
    default=CHECKPOINT_EVERY,
    show_default=True,
    metavar="TIME",
    help="The time between two checkpoints of a cohort.",
)
@click.pass_context
def run(
    context: click.Context,
    /,
    suite: Path,
    plugin: tuple[Path, ...],
    budget: float | None,
    checkpoint_every: float,
    **chosen: Any,
) -> None:
    """Train the missing runs of SUITE, and judge its claims.

    Each cohort of runs is stored when its training ends. The same command continues where an earlier
    one stopped, and trains nothing when no run is missing. The plugins that SUITE names are executed.
    """
    begun = time.monotonic()
    say_what_is_done(f"Reading {suite}")
    from grokbench.cli.progress import watching
    from grokbench.session import run_suite

    with watching(console()) as progress:
        sitting = run_suite(
            suite,
            files=plugin,
            # Importing torch takes part of the budget.
            budget=None if budget is None else max(0.0, budget - (time.monotonic() - begun)),
            checkpoint_every=checkpoint_every,
            watcher=progress,
            **chosen,
        )
    if not sitting.trained and not sitting.unfinished and not sitting.failed:
        sequential = any(verdict.seeds is not None for verdict in sitting.verdicts)
        what = (
            "No claim waits for these runs"
            if sequential
            else "All of these runs are trained and stored"
        )
        say(f"{what}; nothing to do.")
    judge(sitting)
    report(sitting, suite, plugin)
    command = shlex.join(["grokbench", *context.obj])
    if sitting.interrupted:
        say("Interrupted; every finished cohort is stored. To continue:", err=True)
        say(f"  {command}", err=True)
        context.exit(ExitCode.INTERRUPTED)
    if budget is not None and progress.tally.runs and not progress.tally.share:
        say("The budget ended before any cohort reached a new evaluation; allow a longer --budget.")
    if sitting.unfinished:
        left = amounts.count(sitting.unfinished, "run")
        say(f"Not trained yet: {left}. To continue:")
        say(f"  {command}")
    elif sitting.remaining:
        say(f"The suite has {amounts.count(sitting.remaining, 'more run')}.")
    context.exit(ExitCode.RUNS_CRASHED if sitting.failed or sitting.lost else ExitCode.OK)


def judge(sitting: Sitting) -> None:
    """Print the verdicts, or a sentence if no claim could be judged at all."""
    from grokbench.claims import Outcome
    from grokbench.record import Status

    if {verdict.outcome for verdict in sitting.verdicts} == {Outcome.NOT_RUN}:
        ended = any(
            bool((experiment["status"] != Status.NOT_RUN).any())
            for experiment in sitting.tree.children.values()
        )
        why = "none of their runs succeeded" if ended else "none has been run yet"
        say(f"None of the claims can be judged: {why}.")
    else:
        print_verdicts(sitting.verdicts)


def report(sitting: Sitting, suite: Path, files: tuple[Path, ...]) -> None:
    """Say where the results are, and what went wrong."""
    words = ["grokbench", "report", str(sitting.folder)]
    if sitting.plugins:
        # Reading results executes plugins only where they are given.
        words += [
            "--suite",
            str(suite),
            *(word for file in files for word in ("--plugin", str(file))),
        ]
    say(f"Results: {sitting.folder}. For figures: {shlex.join(words)}")
    if sitting.failed:
        say(
            f"{amounts.count(sitting.failed, 'run')} failed; the variable `message` of the dataset "
            "says why. To train these runs again, add --retry-failed.",
            err=True,
        )
    if sitting.damaged:
        say(
            f"Damaged: {amounts.count(len(sitting.damaged), 'record file')}, set aside; their runs were "
            f"trained again: {', '.join(str(path) for path in sitting.damaged)}",
            err=True,
        )
    if sitting.lost:
        say(f"Lost: {amounts.count(len(sitting.lost), 'cohort')}.", err=True)
        for message in sitting.lost:
            say(f"  {message}", err=True)
