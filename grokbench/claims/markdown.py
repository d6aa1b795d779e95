"""Verdicts in Markdown: a table for a README, a summary for a CI server."""

from __future__ import annotations

from collections.abc import Sequence

from grokbench.claims.summary import Shortfall, Summary
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.claims.words import calibrated, interval, rule_words
from grokbench.plain import in_markdown
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
    lines = [f"## {in_markdown(suite.title or suite.name)}", "", str(Summary.of(verdicts)), ""]
    if verdicts:
        lines.append(verdict_table(verdicts))
    for verdict in verdicts:
        if not verdict.expected:
            lines.append(
                f"- **{in_markdown(verdict.claim.name)}**, expected to be {verdict.claim.expect}, came "
                f"out {verdict.outcome.description}: {in_markdown(verdict.reason)}"
            )
        if verdict.changes:
            changes = in_markdown("; ".join(verdict.changes))
            lines.append(f"- **{in_markdown(verdict.claim.name)}**: {changes}")
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
        said = [calibrated(claim), *verdict.changes]
        outcome = f"{SYMBOLS[verdict.outcome]} {verdict.outcome.description}"
        cells = (
            in_markdown(claim.statement),
            in_markdown(claim.source),
            "; ".join([outcome, *map(in_markdown, filter(None, said))]),
            "" if finding is None else f"{interval(finding)} {in_markdown(finding.unit)}",
            in_markdown(rule_words(claim.rule)).replace("\xa0", " "),
            "" if finding is None else str(finding.seeds),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
