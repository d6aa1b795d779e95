"""A claim's outcome, and the finding that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from grokbench.phenomena.base import Detector, Finding
from grokbench.statistics.intervals import CONFIDENCE, Interval
from grokbench.suite.model import Claim


class Outcome(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not_reproduced"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"

    @property
    def description(self) -> str:
        """The outcome in words, for tables."""
        return self.value.replace("_", " ")

    @property
    def style(self) -> str:
        """The colour of the outcome on a terminal."""
        return {
            Outcome.REPRODUCED: "green",
            Outcome.NOT_REPRODUCED: "red",
            Outcome.UNDECIDED: "yellow",
            Outcome.NOT_RUN: "dim",
        }[self]

    @property
    def decided(self) -> bool:
        """Whether the claim was found to hold, or found not to hold."""
        return self in (Outcome.REPRODUCED, Outcome.NOT_REPRODUCED)


@dataclass(frozen=True)
class Verdict:
    """A claim, its outcome, and why.

    Attributes:
        finding: what the detector found, with the 95 % interval of the claim alone; None where
            the detector found nothing to say.
        reason: the outcome's reason, in one sentence.
        confidence: the confidence of the interval that was held against the rule: above 95 % where
            several claims are judged together.
        deciding: that interval; None where there is no finding.
        whole: whether all runs that the claim looks at are done.
        detector: the detector that was asked; None in verdicts that were made without one.
    """

    claim: Claim
    outcome: Outcome
    finding: Finding | None
    reason: str
    confidence: float = CONFIDENCE
    deciding: Interval | None = None
    whole: bool = True
    detector: Detector | None = field(default=None, compare=False, repr=False)

    @property
    def expected(self) -> bool:
        """Whether the claim came out as its suite expects."""
        return self.outcome.description == self.claim.expect
