"""A claim's outcome, and the finding that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from grokbench.errors import PluginFailure
from grokbench.phenomena.base import Detector, Finding
from grokbench.statistics.intervals import CONFIDENCE, Interval
from grokbench.suite.model import Claim


class Outcome(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not_reproduced"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"
    OUT_OF_REACH = "out_of_reach"
    TOO_CLOSE = "too_close"
    NOT_JUDGED = "not_judged"

    @property
    def description(self) -> str:
        """The outcome in words, for tables."""
        if self is Outcome.TOO_CLOSE:
            return "too close to call"
        return self.value.replace("_", " ")

    @property
    def style(self) -> str:
        """The colour of the outcome on a terminal."""
        return {
            Outcome.REPRODUCED: "green",
            Outcome.NOT_REPRODUCED: "red",
            Outcome.UNDECIDED: "yellow",
            Outcome.NOT_RUN: "dim",
            Outcome.OUT_OF_REACH: "yellow",
            Outcome.TOO_CLOSE: "yellow",
            Outcome.NOT_JUDGED: "yellow",
        }[self]

    @property
    def decided(self) -> bool:
        """Whether the claim was found to hold, or found not to hold."""
        return self in (Outcome.REPRODUCED, Outcome.NOT_REPRODUCED)


@dataclass(frozen=True)
class Look:
    """One look at a claim's data in a sequential suite.

    Attributes:
        seeds: how many seeds each of the claim's cells had.
        confidence: of the interval that was held against the rule.
        effect, low, high: the effect and the ends of that interval; None where the detector found
            nothing to say.
        error: the probability of a wrong decision that the look was allowed: one tail of the
            interval.
    """

    seeds: int
    confidence: float
    error: float
    effect: float | None
    low: float | None
    high: float | None
    outcome: Outcome


@dataclass(frozen=True)
class Outlook:
    """What an undecided claim would take, if further seeds behave like those seen.

    Attributes:
        seeds: with so many seeds of each of its experiments, the claim is expected to be decided;
            None where no number of seeds that was tried decides the claim.
        reason: the same in a sentence, or why no number of seeds decides the claim.
        hopeless: whether the seeds that were tried are expected not to decide the claim. False with
            `seeds`, and where nothing can be said yet.
    """

    seeds: int | None
    reason: str
    hopeless: bool = False


@dataclass(frozen=True)
class Verdict:
    """A claim, its outcome, and why.

    Attributes:
        finding: what the detector found, with the 95 % interval of the claim alone; None where
            the detector found nothing to say.
        reason: the outcome's reason, in one sentence. `with_outlooks` adds to an undecided claim a
            second sentence: what deciding the claim would take.
        confidence: the confidence of the interval that was held against the rule: above 95 % where
            several claims are judged together.
        deciding: that interval; None where there is no finding.
        whole: whether all runs that the claim looks at are done.
        looks: in a sequential suite, the looks that were taken, in their order.
        seeds: in a sequential suite, the seeds of the look that the verdict rests on or waits for.
        next_look: in a sequential suite, the number of seeds of the look that the claim waits for;
            None where the claim needs no more runs.
        outlook: what deciding the claim would take; None where nobody has asked.
        detector: the detector that was asked; None in verdicts that were made without one.
        failure: how the detector failed; None if it did not.
        changes: what was changed after the claim's runs were trained, in words; empty if the claim is
            as it was declared, or if the results carry no declarations.
    """

    claim: Claim
    outcome: Outcome
    finding: Finding | None
    reason: str
    confidence: float = CONFIDENCE
    deciding: Interval | None = None
    whole: bool = True
    looks: tuple[Look, ...] = ()
    seeds: tuple[int, ...] | None = None
    next_look: int | None = None
    outlook: Outlook | None = None
    detector: Detector | None = field(default=None, compare=False, repr=False)
    failure: PluginFailure | None = field(default=None, compare=False, repr=False)
    changes: tuple[str, ...] = ()

    @property
    def expected(self) -> bool:
        """Whether the claim came out as its suite expects."""
        return self.outcome.description == self.claim.expect
