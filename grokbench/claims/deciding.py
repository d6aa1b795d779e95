"""Whether an interval decides a claim: the interval held against the rule."""

from __future__ import annotations

from grokbench.claims.verdict import Outcome
from grokbench.claims.words import rule_in_prose
from grokbench.phenomena.base import Finding
from grokbench.suite.model import Claim, Rule


def decide(claim: Claim, finding: Finding, trained: int) -> tuple[Outcome, str]:
    """The outcome by one interval, and what precedes the evidence where the claim is undecided.

    Args:
        claim: the claim.
        finding: the effect and its interval.
        trained: how many seeds have trained runs.
    """
    if not finding.low <= finding.effect <= finding.high:
        return Outcome.UNDECIDED, "the effect is not a number within its interval: "
    if finding.seeds > trained:
        return (
            Outcome.UNDECIDED,
            f"the detector reports {finding.seeds} seeds, but only {trained} were trained: ",
        )
    if finding.seeds < claim.minimum_seeds:
        return (
            Outcome.UNDECIDED,
            f"{finding.seeds} seeds, but the claim asks for at least {claim.minimum_seeds}: ",
        )
    holds = _holds(claim.rule, finding)
    if holds is None:
        return (
            Outcome.UNDECIDED,
            f"the interval contains the rule's bound ({rule_in_prose(claim.rule)}): ",
        )
    return (Outcome.REPRODUCED if holds else Outcome.NOT_REPRODUCED), ""


def _holds(rule: Rule, finding: Finding) -> bool | None:
    """Whether the whole interval satisfies the rule; None when the interval contains the bound."""
    low, high = finding.low, finding.high
    if rule.at_least is not None and (low >= rule.at_least or high < rule.at_least):
        return low >= rule.at_least
    if rule.at_most is not None and (high <= rule.at_most or low > rule.at_most):
        return high <= rule.at_most
    return None
