"""Verdicts as a JUnit XML file with one test case for each claim, for CI servers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from grokbench.claims.summary import Shortfall
from grokbench.claims.verdict import Verdict
from grokbench.claims.words import calibrated, interval, percent, rule_words
from grokbench.plain import in_xml
from grokbench.suite.model import Suite

RUNS = "runs behind the claims"
"""The name of one more test case; no claim has spaces in its name."""


def junit(
    suite: Suite,
    verdicts: Sequence[Verdict],
    when: datetime,
    shortfall: Shortfall | None = None,
    *,
    strict_rules: bool = False,
) -> bytes:
    """The verdicts in the format of the Jenkins xUnit plugin's schema, which pytest calls xunit2.

    A claim that did not come out as expected is a failure, and its outcome is the failure's type
    (the schema allows no error inside a test case). Where `shortfall` is given, one more case says
    whether runs crashed or are missing, which the verdicts need not show. With `strict_rules`, a claim
    that was changed after training is a failure as well.
    """
    cases = [
        (verdict.claim.name, account(verdict), failure(verdict, strict_rules=strict_rules))
        for verdict in verdicts
    ]
    if shortfall is not None:
        cases.append(
            (RUNS, str(shortfall) or "no run crashed, and none is missing", failed(shortfall))
        )
    surprises = sum(wrong is not None for _, _, wrong in cases)
    counts = {"tests": str(len(cases)), "failures": str(surprises), "errors": "0"}
    root = ET.Element("testsuites", {"name": "grokbench", **counts, "time": "0"})
    listed = ET.SubElement(
        root,
        "testsuite",
        {
            "name": in_xml(suite.name),
            **counts,
            "skipped": "0",
            "time": "0",
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
        },
    )
    for name, told, wrong in cases:
        case = ET.SubElement(
            listed,
            "testcase",
            {"classname": in_xml(suite.name), "name": in_xml(name), "time": "0"},
        )
        if wrong is not None:
            message, kind = wrong
            attributes = {"message": in_xml(message), "type": kind}
            ET.SubElement(case, "failure", attributes).text = in_xml(told)
        else:
            ET.SubElement(case, "system-out").text = in_xml(told)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def failure(verdict: Verdict, *, strict_rules: bool = False) -> tuple[str, str] | None:
    """The failure's message and type; None where the claim came out as expected."""
    if not verdict.expected:
        return surprise(verdict), verdict.outcome.value
    if strict_rules and verdict.changes:
        return "; ".join(verdict.changes), "changed_after_training"
    return None


def failed(shortfall: Shortfall) -> tuple[str, str] | None:
    """The failure's message and type, `crashed` or `not_run`; None where all runs are done."""
    return (str(shortfall), "crashed" if shortfall.crashed else "not_run") if shortfall else None


def surprise(verdict: Verdict) -> str:
    """`expected to be reproduced, came out undecided`."""
    return f"expected to be {verdict.claim.expect}, came out {verdict.outcome.description}"


def account(verdict: Verdict) -> str:
    """The claim, the finding with its interval, and the cells behind it."""
    claim, finding = verdict.claim, verdict.finding
    lines = [claim.statement]
    if claim.source:
        lines.append(f"source: {claim.source}")
    lines.append(f"rule: {rule_words(claim.rule)}")
    if finding is not None:
        lines.append(f"found: {interval(finding)} {finding.unit}, {finding.seeds} seeds")
    if verdict.outcome.decided:
        lines.append(f"decided by the {percent(verdict.confidence)} interval")
    if claim.calibrated_on:
        lines.append(calibrated(claim))
    return "\n".join([*lines, *verdict.changes, verdict.reason])
