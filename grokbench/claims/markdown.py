"""Verdicts in Markdown: a table for a README, a summary for a CI server."""

from __future__ import annotations

from collections.abc import Sequence

from grokbench.claims.summary import Shortfall, Summary
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.claims.words import calibrated, interval, rule_words
from grokbench.suite.model import Suite

SYMBOLS = {
    Outcome.REPRODUCED: "●",
    Outcome.NOT_REPRODUCED: "✕",
    Outcome.UNDECIDED: "◐",
    Outcome.NOT_RUN: "○",
    Outcome.OUT_OF_REACH: "⊘",
    Outcome.TOO_CLOSE: "≈",
    Outcome.NOT_JUDGED: "–",
}


def markdown_summary(
    suite: Suite, verdicts: Sequence[Verdict], shortfall: Shortfall | None = None
) -> str:
    """What a CI server shows: the score, the table, the reasons of unexpected verdicts, and changes.

    `shortfall` adds a line where runs crashed or are missing.
    """
    lines = [f"## {suite.title or suite.name}", "", str(Summary.of(verdicts)), ""]
    if verdicts:
        lines.append(verdict_table(verdicts))
    for verdict in verdicts:
        if not verdict.expected:
            reason = " ".join(verdict.reason.split())
            lines.append(
                f"- **{verdict.claim.name}**, expected to be {verdict.claim.expect}, came out "
                f"{verdict.outcome.description}: {reason}"
            )
        if verdict.changes:
            lines.append(f"- **{verdict.claim.name}**: {'; '.join(verdict.changes)}")
    if shortfall:
        lines.append(f"- **{shortfall}**")
    return "\n".join(lines) + "\n"


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a Markdown table, for a README."""
    lines = [
        "| claim | source | verdict | effect [95 % interval] | rule | seeds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for verdict in verdicts:
        claim, finding = verdict.claim, verdict.finding
        outcome = f"{SYMBOLS[verdict.outcome]} {verdict.outcome.description}"
        cells = (
            claim.statement,
            claim.source,
            "; ".join(filter(None, [outcome, calibrated(claim), *verdict.changes])),
            "" if finding is None else f"{interval(finding)} {finding.unit}",
            rule_words(claim.rule),
            "" if finding is None else str(finding.seeds),
        )
        row = " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells)
        lines.append(f"| {row} |")
    return "\n".join(lines) + "\n"
