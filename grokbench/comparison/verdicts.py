"""Claim by claim: which verdicts of two results differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from grokbench.claims import Outcome, Verdict
from grokbench.suite.model import Claim

DECIDING = tuple(
    field.name for field in fields(Claim) if field.name not in ("name", "statement", "source")
)
"""What of a claim decides its verdict, the words that it comes in not being among it."""


@dataclass(frozen=True)
class VerdictPair:
    """The verdicts on one claim; None where the suite of the results does not have it."""

    claim: str
    first: Verdict | None
    second: Verdict | None

    @property
    def differs(self) -> bool:
        """Whether both are there and one is not the other."""
        return (
            self.first is not None
            and self.second is not None
            and self.first.outcome is not self.second.outcome
        )

    @property
    def changed(self) -> bool:
        """Whether they differ by more than chance explains.

        An interval that just held a rule need not hold it the next time. So verdicts of which one
        is undecided have changed only where their intervals lie apart, or where one has none.
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

        Two 95 % intervals of one truth come to lie apart in fewer than one case in a hundred.
        """
        if not (self.first and self.first.finding and self.second and self.second.finding):
            return None
        one, other = self.first.finding, self.second.finding
        return one.low <= other.high and other.low <= one.high

    @property
    def rewritten(self) -> tuple[str, ...]:
        """What was changed in the claim itself, so that its verdicts are not on the same thing."""
        if self.first is None or self.second is None:
            return ()
        one, other = self.first.claim, self.second.claim
        return tuple(name for name in DECIDING if getattr(one, name) != getattr(other, name))


def pair_verdicts(first: Sequence[Verdict], second: Sequence[Verdict]) -> tuple[VerdictPair, ...]:
    """The verdicts of A and B by claim: in A's order, and then what B alone has."""
    one, other = ({verdict.claim.name: verdict for verdict in side} for side in (first, second))
    return tuple(
        VerdictPair(name, one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])
    )
