"""`grokbench check`: whether the claims came out as expected, for CI."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench.cli import options
from grokbench.cli.console import print_json, say, say_what_is_done, writing
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
@options.trust_plugins
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
@click.option(
    "--strict-rules",
    is_flag=True,
    help="Fail if a rule, a selection, a detector or a plugin was changed after training.",
)
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    results: Path,
    suite: Path | None,
    plugin: tuple[Path, ...],
    trust_plugins: bool,
    junit_xml: Path | None,
    summary: Path | None,
    strict_rules: bool,
    json: bool,
) -> None:
    """Check whether the claims on RESULTS came out as expected.

    RESULTS is a dataset, or the folder it is in. A suite expects each claim to be reproduced unless
    the claim says otherwise (`expect = "not reproduced"`). The exit code is 0 when all claims came
    out as expected, 1 when a claim was decided otherwise, and 2 when a file is wrong. When no claim
    was decided otherwise, it is 4 if runs behind the claims crashed, else 3 if a claim is undecided
    or a run is missing. Plugins that RESULTS name are not executed unless --suite, --plugin or
    --trust-plugins asks for it; claims that need them are then not judged, which is 3 as well.

    The rules, detectors, selections and plugins are compared with those that were stored when the runs
    were trained. With --strict-rules, a difference is exit code 5, unless a claim was decided otherwise.
    """
    say_what_is_done(f"Reading {results}")
    from grokbench.claims import Shortfall, runs_of, verdicts_document
    from grokbench.claims.junit import junit, surprise
    from grokbench.claims.markdown import markdown_summary

    # Found before any plugin runs, which may leave the working folder.
    junit_xml = junit_xml and junit_xml.absolute()
    summary = summary and summary.absolute()
    judged = judge(results, suite, plugin, trust=trust_plugins).with_outlooks()
    shortfall = Shortfall.of(runs_of(judged.verdicts, judged.tree))
    if junit_xml is not None:
        document = junit(
            judged.suite, judged.verdicts, datetime.now(UTC), shortfall, strict_rules=strict_rules
        )
        with writing(junit_xml, "--junit-xml claims.xml"):
            junit_xml.parent.mkdir(parents=True, exist_ok=True)
            junit_xml.write_bytes(document)
    step = os.environ.get("GITHUB_STEP_SUMMARY")
    summary = summary or (Path(step) if step else None)
    if summary is not None:
        text = markdown_summary(judged.suite, judged.verdicts, shortfall) + "\n"
        with (
            writing(summary, "--summary claims.md"),
            summary.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(text)
    if json:
        print_json(verdicts_document(judged.suite, judged.verdicts, judged.tree))
    else:
        print_verdicts(judged.verdicts)
        for verdict in judged.verdicts:
            if not verdict.expected:
                say(f"{verdict.claim.name}: {surprise(verdict)}")
    context.exit(exit_code(judged, shortfall, strict_rules=strict_rules))


def exit_code(judged: Judged, shortfall: Shortfall, *, strict_rules: bool) -> ExitCode:
    """The exit code; also prints what no verdict shows.

    These are the runs that crashed or are missing, and rules that cannot be compared.
    """
    from grokbench.claims import Summary

    if shortfall:
        remedies = []
        if shortfall.crashed:
            remedies.append("the dataset's variable `message` says why")
        if shortfall.missing:
            remedies.append("`grokbench run` trains what is missing")
        say(f"{shortfall}: {'; '.join(remedies)}.", err=True)
    unknown = unknown_rules(judged)
    if unknown:
        say(unknown, err=True)
    summary = Summary.of(judged.verdicts)
    if summary.contrary:
        return ExitCode.CLAIM_FAILED
    if strict_rules and (summary.changed or unknown):
        return ExitCode.CHANGED_AFTER_TRAINING
    if shortfall.crashed:
        return ExitCode.RUNS_CRASHED
    if summary.open or shortfall.missing:
        return ExitCode.UNDECIDED
    return ExitCode.OK


def unknown_rules(judged: Judged) -> str:
    """What is said of runs whose rules are not known, because an older grokbench trained them.

    Nothing if the suite is, byte by byte, the one that these runs were trained under.
    """
    from grokbench.amounts import count
    from grokbench.claims.changes import undeclared

    runs = undeclared(judged.suite, judged.tree)
    if not runs or trained_by_this_suite(judged):
        return ""
    return (
        f"The rules were not stored with {count(runs, 'run')} of an older grokbench, and the suite's text "
        f"is not the one that they were trained under: a changed rule would not be noticed."
    )


def trained_by_this_suite(judged: Judged) -> bool:
    """Whether all sittings of an older grokbench had this suite's text."""
    import hashlib

    from grokbench.store import provenance

    own = hashlib.sha256(judged.suite.text.encode()).hexdigest()
    old = [one for one in provenance(judged.tree)["sittings"] if "plugin_sha256" not in one]
    return bool(old) and all(sitting.get("suite_sha256") == own for sitting in old)
