"""Claim by claim: which verdicts of two results differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from grokbench.claims import Outcome, Verdict
from grokbench.suite.model import Claim

DECIDING = tuple(
    field.name for field in fields(Claim) if field.name not in ("name", "statement", "source")
)
"""The fields of a claim that affect its verdict: all but its name, statement and source."""


@dataclass(frozen=True)
class VerdictPair:
    """The verdicts on one claim; None where the suite of the results does not have it."""

    claim: str
    first: Verdict | None
    second: Verdict | None

    @property
    def differs(self) -> bool:
        """Whether both claims were judged, with different outcomes."""
        return (
            self.first is not None
            and self.second is not None
            and self.first.outcome is not self.second.outcome
            and Outcome.NOT_JUDGED not in (self.first.outcome, self.second.outcome)
        )

    @property
    def changed(self) -> bool:
        """Whether the verdicts differ by more than chance explains.

        An interval that just missed the rule's bound may contain it the next time. So where one of
        the verdicts is undecided, it counts as changed only if the two intervals are disjoint or
        one of them is missing. Two different decisions are always a change.
        """
        if not self.differs:
            return False
        assert self.first
        assert self.second
        undecided = Outcome.UNDECIDED in (self.first.outcome, self.second.outcome)
        return not (undecided and self.overlapping)

    @property
    def overlapping(self) -> bool | None:
        """Whether the intervals overlap, so that seeds may explain a change; None without two.

        Two 95 % intervals of the same quantity are disjoint in fewer than one case in a hundred.
        """
        if not (self.first and self.first.finding and self.second and self.second.finding):
            return None
        one, other = self.first.finding, self.second.finding
        return one.low <= other.high and other.low <= one.high

    @property
    def rewritten(self) -> tuple[str, ...]:
        """The fields in which the two suites define the claim differently."""
        if self.first is None or self.second is None:
            return ()
        one, other = self.first.claim, self.second.claim
        return tuple(name for name in DECIDING if getattr(one, name) != getattr(other, name))


def pair_verdicts(first: Sequence[Verdict], second: Sequence[Verdict]) -> tuple[VerdictPair, ...]:
    """The verdicts of A and B by claim: in the order of A, then the claims that only B has."""
    one, other = ({verdict.claim.name: verdict for verdict in side} for side in (first, second))
    return tuple(
        VerdictPair(name, one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])
    )
