"""`grokbench run`: train what is missing, store it, judge the claims."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench import amounts
from grokbench.cli import options
from grokbench.cli.console import console
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.verdicts import print_verdicts

if TYPE_CHECKING:
    from grokbench.session import Sitting

CHECKPOINT_EVERY = "30s"


@click.command()
@options.suite_file
@options.output_folder
@options.only
@options.device
@options.jobs
@click.option(
    "--budget", type=options.Duration(), metavar="TIME", help="End after this long (25m, 1h30m)."
)
@options.shard
@options.seeds
@options.retry_failed
@click.option(
    "--checkpoint-every",
    type=options.Duration(),
    default=CHECKPOINT_EVERY,
    show_default=True,
    metavar="TIME",
    help="Keep each cohort in training this often, to go on from after a cut.",
)
@options.plugin_files
@click.pass_context
def run(
    context: click.Context,
    suite: Path,
    out: Path | None,
    only: tuple[str, ...],
    device: str,
    jobs: int | None,
    budget: float | None,
    shard: tuple[int, int] | None,
    seeds: int | None,
    retry_failed: bool,
    checkpoint_every: float,
    plugin: tuple[Path, ...],
) -> None:
    """Train what is missing of SUITE, and judge its claims.

    Every cohort of runs is stored as it finishes. The same command again goes on where the last
    one stopped, and does nothing when all is done.
    """
    begun = time.monotonic()
    from grokbench.cli.progress import watcher
    from grokbench.session import run_suite

    with watcher(console()) as watching:
        sitting = run_suite(
            suite,
            out,
            only=only,
            seeds=seeds,
            device=device,
            jobs=jobs,
            budget=None if budget is None else max(0.0, budget - (time.monotonic() - begun)),
            shard=shard,
            retry_failed=retry_failed,
            checkpoint_every=checkpoint_every,
            watcher=watching,
            files=plugin,
        )
    if not watching.tally.runs and not sitting.failed:
        click.echo("Everything asked for is trained and stored; nothing to do.")
    judge(sitting)
    report(sitting)
    command = shlex.join(["grokbench", *context.obj])
    if sitting.interrupted:
        click.echo(f"Interrupted; everything finished is stored. To go on:\n  {command}", err=True)
        context.exit(ExitCode.INTERRUPTED)
    if budget is not None and watching.tally.runs and not watching.tally.share:
        click.echo(
            "The budget ended before any cohort came to a new evaluation; more of it gets further."
        )
    if sitting.trained < watching.tally.runs:
        left = amounts.count(watching.tally.runs - sitting.trained, "run")
        click.echo(f"Not trained in this sitting: {left}. To go on:\n  {command}")
    elif sitting.remaining:
        click.echo(f"The suite has {amounts.count(sitting.remaining, 'more run')}.")
    context.exit(ExitCode.RUNS_CRASHED if sitting.failed or sitting.lost else ExitCode.OK)


def judge(sitting: Sitting) -> None:
    """Print the verdicts, but no table of claims none of which has been run."""
    from grokbench.claims import Outcome

    if {verdict.outcome for verdict in sitting.verdicts} == {Outcome.NOT_RUN}:
        why = "no run behind them ended well" if sitting.failed else "none has been run yet"
        click.echo(f"None of the claims can be judged: {why}.")
    else:
        print_verdicts(sitting.verdicts)


def report(sitting: Sitting) -> None:
    """Say where the results are, and what went wrong."""
    click.echo(f"Results: {sitting.folder}. For figures: grokbench report {sitting.folder}")
    if sitting.failed:
        click.echo(
            f"{amounts.count(sitting.failed, 'run')} failed; the dataset's variable `message` says "
            "why. --retry-failed trains again those that raised an error.",
            err=True,
        )
    if sitting.damaged:
        click.echo(
            f"{amounts.count(len(sitting.damaged), 'record file')} damaged, set aside and trained "
            f"again: {', '.join(str(path) for path in sitting.damaged)}",
            err=True,
        )
    if sitting.lost:
        click.echo(
            f"{amounts.count(len(sitting.lost), 'cohort')} lost, because a worker process ended.",
            err=True,
        )
