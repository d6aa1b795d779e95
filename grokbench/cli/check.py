"""`grokbench check`: whether the claims came out as expected, for CI."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench.cli import options
from grokbench.cli.console import print_json
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.judged import Judged, judge
from grokbench.cli.verdicts import print_verdicts

if TYPE_CHECKING:
    from grokbench.claims import Shortfall

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
    from grokbench.claims import Shortfall, runs_behind, verdicts_document
    from grokbench.claims.junit import junit, surprise
    from grokbench.claims.markdown import markdown_summary

    judged = judge(results, suite, plugin)
    shortfall = Shortfall.of(runs_behind(judged.suite.claims.values(), judged.tree))
    if junit_xml is not None:
        junit_xml.parent.mkdir(parents=True, exist_ok=True)
        junit_xml.write_bytes(junit(judged.suite, judged.verdicts, datetime.now(UTC), shortfall))
    step = os.environ.get("GITHUB_STEP_SUMMARY")
    summary = summary or (Path(step) if step else None)
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown_summary(judged.suite, judged.verdicts, shortfall) + "\n")
    if json:
        print_json(verdicts_document(judged.suite, judged.verdicts, judged.tree))
    else:
        print_verdicts(judged.verdicts)
        for verdict in judged.verdicts:
            if not verdict.expected:
                click.echo(f"{verdict.claim.name}: {surprise(verdict)}")
    context.exit(exit_code(judged, shortfall))


def exit_code(judged: Judged, shortfall: Shortfall) -> ExitCode:
    """The code, with a word on what no verdict shows: runs that crashed, or that are missing."""
    from grokbench.claims import Summary

    if shortfall:
        remedies = []
        if shortfall.crashed:
            remedies.append("the dataset's variable `message` says why")
        if shortfall.missing:
            remedies.append("`grokbench run` trains what is missing")
        click.echo(f"{shortfall}: {'; '.join(remedies)}.", err=True)
    summary = Summary.of(judged.verdicts)
    if summary.contrary:
        return ExitCode.CLAIM_FAILED
    if shortfall.crashed:
        return ExitCode.RUNS_CRASHED
    if summary.open or shortfall.missing:
        return ExitCode.UNDECIDED
    return ExitCode.OK
