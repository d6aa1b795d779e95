"""Verdicts as a JUnit XML file, one test case a claim, as CI servers read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from grokbench.claims.verdict import Verdict
from grokbench.claims.words import interval, percent, rule_words
from grokbench.suite.model import Suite

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not (section 2.2)."""


def junit(suite: Suite, verdicts: Sequence[Verdict], when: datetime) -> bytes:
    """The verdicts in the format of the Jenkins xUnit plugin's schema, which pytest calls xunit2.

    Whatever came out otherwise than expected is a failure, its type the outcome: that schema has no
    place for an error within a test case.
    """
    surprises = sum(not verdict.expected for verdict in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(surprises), "errors": "0"}
    root = ET.Element("testsuites", {"name": "grokbench", **counts, "time": "0"})
    listed = ET.SubElement(
        root,
        "testsuite",
        {
            "name": clean(suite.name),
            **counts,
            "skipped": "0",
            "time": "0",
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
        },
    )
    for verdict in verdicts:
        case = ET.SubElement(
            listed,
            "testcase",
            {"classname": clean(suite.name), "name": clean(verdict.claim.name), "time": "0"},
        )
        if not verdict.expected:
            wrong = ET.SubElement(
                case,
                "failure",
                {"message": clean(surprise(verdict)), "type": verdict.outcome.value},
            )
            wrong.text = clean(account(verdict))
        else:
            ET.SubElement(case, "system-out").text = clean(account(verdict))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


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
        lines.append(f"decided by an interval of {percent(verdict.confidence)}")
    return "\n".join([*lines, verdict.reason])


def clean(text: str) -> str:
    return NOT_IN_XML.sub("\ufffd", text)
