"""`grokbench check`: whether the claims came out as expected, for CI."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from grokbench.cli import amounts, options
from grokbench.cli.console import print_json
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.judged import Judged, judge
from grokbench.cli.verdicts import print_verdicts

WRITTEN = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@options.results
@options.another_suite
@options.plugin_files
@click.option(
    "--junit-xml",
    type=WRITTEN,
    metavar="FILE",
    help="Write one test case a claim, as CI servers read it.",
)
@click.option(
    "--summary",
    type=WRITTEN,
    metavar="FILE",
    help="Append a summary in Markdown.  [default: $GITHUB_STEP_SUMMARY, where it is set]",
)
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    results: Path,
    suite: Path | None,
    plugin: tuple[Path, ...],
    junit_xml: Path | None,
    summary: Path | None,
    json: bool,
) -> None:
    """See whether the claims on RESULTS came out as their suite expects.

    RESULTS is a dataset, or the folder it is in. A claim expects to be reproduced unless it says
    otherwise (`expect = "not reproduced"`). The exit code is 0 when all came out as expected; 1
    when one was decided otherwise; 2 when a file is wrong; 4 when none was decided otherwise but
    runs that they look at crashed; 3 when none crashed but a claim is undecided, or a run missing.
    """
    from grokbench.claims import verdicts_document
    from grokbench.claims.junit import junit, surprise
    from grokbench.claims.markdown import markdown_summary

    judged = judge(results, suite, plugin)
    if junit_xml is not None:
        junit_xml.parent.mkdir(parents=True, exist_ok=True)
        junit_xml.write_bytes(junit(judged.suite, judged.verdicts, datetime.now(UTC)))
    step = os.environ.get("GITHUB_STEP_SUMMARY")
    summary = summary or (Path(step) if step else None)
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown_summary(judged.suite, judged.verdicts) + "\n")
    if json:
        print_json(verdicts_document(judged.suite, judged.verdicts, judged.tree))
    else:
        print_verdicts(judged.verdicts)
        for verdict in judged.verdicts:
            if not verdict.expected:
                click.echo(f"{verdict.claim.name}: {surprise(verdict)}")
    context.exit(exit_code(judged))


def exit_code(judged: Judged) -> ExitCode:
    """The code, with a word on what no verdict shows: runs that crashed, or that are missing."""
    from grokbench.claims import Summary, runs_behind
    from grokbench.record import Status

    runs = Counter(runs_behind(judged.suite.claims.values(), judged.tree).values())
    if runs[Status.FAILED]:
        crashed = amounts.count(runs[Status.FAILED], "run")
        click.echo(f"{crashed} crashed; the dataset's variable `message` says why.", err=True)
    if runs[Status.NOT_RUN]:
        missing = amounts.count(runs[Status.NOT_RUN], "run")
        click.echo(
            f"{missing} of the {runs.total()} that the claims look at are missing; "
            f"`grokbench run` trains them.",
            err=True,
        )
    summary = Summary.of(judged.verdicts)
    if summary.contrary:
        return ExitCode.CLAIM_FAILED
    if runs[Status.FAILED]:
        return ExitCode.RUNS_CRASHED
    if summary.open or runs[Status.NOT_RUN]:
        return ExitCode.UNDECIDED
    return ExitCode.OK
