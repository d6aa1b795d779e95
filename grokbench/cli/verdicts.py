"""The verdict table that `run` and `score` end with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from grokbench.cli.console import console, table

if TYPE_CHECKING:
    from grokbench.claims import Verdict
    from grokbench.phenomena.base import Finding


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """One row a claim, in the order of the suite; then why, for those not reproduced."""
    from rich.text import Text

    from grokbench.claims import Outcome

    if not verdicts:
        click.echo("The suite claims nothing.")
        return
    out = console()
    listed = table("claim", "verdict", "effect [95 % interval]", "rule", "seeds", right=("seeds",))
    for verdict in verdicts:
        listed.add_row(
            verdict.claim.name,
            Text(verdict.outcome.description, style=verdict.outcome.style),
            spelled(verdict.finding),
            str(verdict.claim.rule),
            str(verdict.finding.seeds) if verdict.finding else "",
        )
    out.print()
    out.print(listed)
    out.print()
    for verdict in verdicts:
        if verdict.outcome is not Outcome.REPRODUCED:
            out.print(f"{verdict.claim.name}: {verdict.reason}")


def spelled(finding: Finding | None) -> str:
    if finding is None:
        return ""
    return f"{finding.effect:.3g} [{finding.low:.3g}, {finding.high:.3g}]"
