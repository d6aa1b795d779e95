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
    help="Write a JUnit file with one test case for each claim, for CI servers.",
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
    """Check whether the claims on RESULTS came out as expected.

    RESULTS is a dataset, or the folder it is in. A suite expects each claim to be reproduced unless
    the claim says otherwise (`expect = "not reproduced"`). The exit code is 0 when all claims came
    out as expected, 1 when a claim was decided otherwise, and 2 when a file is wrong. When no claim
    was decided otherwise, it is 4 if runs behind the claims crashed, else 3 if a claim is undecided
    or a run is missing.
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
    """The exit code; also prints how many runs crashed or are missing, which no verdict shows."""
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
