"""What a suite's verdicts come to, taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from grokbench.claims.verdict import Outcome, Verdict
from grokbench.phenomena.intervals import CONFIDENCE

METHOD = "Holm 1979"
"""How the claims of a suite are corrected for being many."""


@dataclass(frozen=True)
class Summary:
    """How many claims had each outcome, and which came out otherwise than expected."""

    counts: dict[Outcome, int]
    contrary: tuple[Verdict, ...]
    """Decided, and otherwise than their suite expects."""
    open: tuple[Verdict, ...]
    """Not decided, though their suite expects them to be."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Summary:
        found = Counter(verdict.outcome for verdict in verdicts)
        surprising = [verdict for verdict in verdicts if not verdict.expected]
        return cls(
            {outcome: found[outcome] for outcome in Outcome},
            tuple(verdict for verdict in surprising if verdict.outcome.decided),
            tuple(verdict for verdict in surprising if not verdict.outcome.decided),
        )

    @property
    def claims(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        """`5 of 9 claims reproduced, 3 undecided; …`: the suite's score and how sure it is."""
        if not self.claims:
            return "The suite claims nothing."
        named = [
            f"{count} {outcome.description}"
            for outcome, count in self.counts.items()
            if count and outcome is not Outcome.REPRODUCED
        ]
        claims = "claim" if self.claims == 1 else "claims"
        told = [f"{self.counts[Outcome.REPRODUCED]} of {self.claims} {claims} reproduced", *named]
        together = (
            f"; at most {100 * (1 - CONFIDENCE):.0f} % that any of those decided is decided "
            f"wrongly ({METHOD})"
            if self.claims > 1
            else ""
        )
        return f"{', '.join(told)}{together}"
