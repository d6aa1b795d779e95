"""What a suite's verdicts come to, taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grokbench.amounts import count
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.record import Status
from grokbench.statistics.intervals import CONFIDENCE

METHOD = "Holm 1979"
"""How the claims of a suite are corrected for being many."""


@dataclass(frozen=True)
class Shortfall:
    """What no verdict need show: of the runs that claims look at, how many crashed or are missing."""

    runs: int
    crashed: int
    missing: int

    @classmethod
    def of(cls, runs: Mapping[str, Status]) -> Shortfall:
        """Of what `runs_behind` gives."""
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
            f"wrongly ({METHOD}), where every interval holds what it promises"
            if self.claims > 1
            else ""
        )
        return f"{', '.join(told)}{together}"
