"""The verdicts of a suite, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grokbench.amounts import count
from grokbench.claims.errors import ALPHA, METHOD
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.record import Status


@dataclass(frozen=True)
class Shortfall:
    """How many of the runs that claims look at crashed or are missing; no verdict needs to show it."""

    runs: int
    crashed: int
    missing: int

    @classmethod
    def of(cls, runs: Mapping[str, Status]) -> Shortfall:
        """Count what `runs_of` returns."""
        found = Counter(runs.values())
        return cls(found.total(), found[Status.FAILED], found[Status.NOT_RUN])

    def __bool__(self) -> bool:
        return self.crashed + self.missing > 0

    def __str__(self) -> str:
        """`4 runs crashed; 1 run of the 12 that the claims look at is missing`."""
        told = []
        if self.crashed:
            told.append(f"{count(self.crashed, 'run')} crashed")
        if self.missing:
            are = "is" if self.missing == 1 else "are"
            told.append(
                f"{count(self.missing, 'run')} of the {self.runs} that the claims look at {are} "
                "missing"
            )
        return "; ".join(told)


@dataclass(frozen=True)
class Summary:
    """How many claims had each outcome, and which did not come out as expected."""

    counts: dict[Outcome, int]
    contrary: tuple[Verdict, ...]
    """Claims that were decided otherwise than their suite expects."""
    open: tuple[Verdict, ...]
    """Claims that were not decided although their suite expects a decision."""
    changed: tuple[Verdict, ...] = ()
    """Claims that are not as they were declared when their runs were trained."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Summary:
        found = Counter(verdict.outcome for verdict in verdicts)
        surprising = [verdict for verdict in verdicts if not verdict.expected]
        return cls(
            {outcome: found[outcome] for outcome in Outcome},
            tuple(verdict for verdict in surprising if verdict.outcome.decided),
            tuple(verdict for verdict in surprising if not verdict.outcome.decided),
            tuple(verdict for verdict in verdicts if verdict.changes),
        )

    @property
    def claims(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        """`5 of 9 claims reproduced, 3 undecided; …`: the score, and its probability of error."""
        if not self.claims:
            return "The suite makes no claims."
        named = [
            f"{number} {outcome.description}"
            for outcome, number in self.counts.items()
            if number and outcome is not Outcome.REPRODUCED
        ]
        claims = "claim" if self.claims == 1 else "claims"
        told = [f"{self.counts[Outcome.REPRODUCED]} of {self.claims} {claims} reproduced", *named]
        together = (
            f"; the probability of any wrong decision is at most {100 * ALPHA:.0f} % ({METHOD}), "
            "provided that every interval has its stated coverage and the claims rest on "
            "independent runs"
            if self.claims > 1
            else ""
        )
        changed = f"; changed after training: {count(len(self.changed), 'claim')}"
        return f"{', '.join(told)}{together}{changed if self.changed else ''}"
