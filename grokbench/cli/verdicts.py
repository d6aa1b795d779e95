"""The verdict table that `run` and `score` end with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grokbench.cli.console import console, say, styled, table

if TYPE_CHECKING:
    from grokbench.claims import Verdict
    from grokbench.phenomena.base import Finding


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """One row for each claim, then the reasons of verdicts that are not whole or not reproduced.

    `(!)` marks a claim that was changed after training; what was changed follows the table.
    """
    from rich.text import Text

    from grokbench.claims import Outcome, Summary
    from grokbench.claims.words import calibrated, rule_words

    if not verdicts:
        say("The suite makes no claims.")
        return
    out = console()
    # Most suites expect every claim to be reproduced: then the column would say nothing.
    expecting = any(verdict.claim.expect != Outcome.REPRODUCED.description for verdict in verdicts)
    columns = ["claim", "verdict", *(["expected"] if expecting else []), "effect [95 % interval]"]
    listed = table(*columns, "rule", "seeds", right=("seeds",))
    for verdict in verdicts:
        listed.add_row(
            verdict.claim.name,
            Text.assemble(
                (verdict.outcome.description, verdict.outcome.style),
                (" (!)" if verdict.changes else "", "bold red"),
            ),
            *([verdict.claim.expect] if expecting else []),
            spelled(verdict.finding),
            rule_words(verdict.claim.rule),
            str(verdict.finding.seeds) if verdict.finding else "",
        )
    out.print()
    out.print(listed)
    out.print()
    for verdict in verdicts:
        if verdict.outcome is not Outcome.REPRODUCED or not verdict.whole:
            out.print(f"{verdict.claim.name}: {verdict.reason}")
        if verdict.claim.calibrated_on:
            out.print(f"{verdict.claim.name}: {calibrated(verdict.claim)}")
        for change in verdict.changes:
            out.print(styled(f"(!) {verdict.claim.name}: {change}", "bold red"))
    out.print(str(Summary.of(verdicts)))


def spelled(finding: Finding | None) -> str:
    """The effect and its interval; "" without a finding."""
    from grokbench.claims.words import interval

    return "" if finding is None else interval(finding)
