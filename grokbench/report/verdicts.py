"""What the page shows of a verdict: its interval as a bar, and where the claim looks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from grokbench.claims import Outcome, Verdict
from grokbench.phenomena.base import Finding
from grokbench.suite.model import Claim, Rule


@dataclass(frozen=True)
class Bar:
    """An effect, its interval and the rule, as positions on a line from 0 to 100.

    `accepted` is the range that satisfies the rule. Infinite ends of the interval are drawn open
    at the ends of the line.
    """

    low: float
    effect: float
    high: float
    zero: float
    bound: float
    accepted: tuple[float, float]
    open_low: bool
    open_high: bool


def bar(finding: Finding, rule: Rule) -> Bar | None:
    """The finding and the rule as positions; None where the effect or an end is not a number."""
    if math.isnan(finding.effect) or math.isnan(finding.low) or math.isnan(finding.high):
        return None
    bound = rule.at_least if rule.at_least is not None else rule.at_most
    assert bound is not None  # a rule has one of the two
    shown = [x for x in (finding.low, finding.effect, finding.high, bound, 0.0) if math.isfinite(x)]
    # Some room on both sides, so that no mark lies on the edge of the drawing.
    margin = 0.08 * (max(shown) - min(shown)) or 1.0
    start, end = min(shown) - margin, max(shown) + margin

    def place(value: float) -> float:
        return round(100 * (min(max(value, start), end) - start) / (end - start), 2)

    return Bar(
        low=place(finding.low),
        effect=place(finding.effect),
        high=place(finding.high),
        zero=place(0.0),
        bound=place(bound),
        accepted=(place(bound), 100.0) if rule.at_least is not None else (0.0, place(bound)),
        open_low=math.isinf(finding.low),
        open_high=math.isinf(finding.high),
    )


def where(claim: Claim) -> str:
    """The experiments of a claim, and its selection in them: `addition at data size 350`."""
    names = list(claim.experiments.values())
    if len(names) > 1:
        names = [f"{role}: {name}" for role, name in claim.experiments.items()]
    chosen = [
        f"{dimension.replace('_', ' ')} "
        + (", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for dimension, value in claim.where.items()
    ]
    return ", ".join(names) + (f" at {'; '.join(chosen)}" if chosen else "")


def totals(verdicts: Sequence[Verdict]) -> list[tuple[Outcome, int]]:
    """How many claims had each outcome; outcomes that no claim had are left out."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return [(outcome, counts[outcome]) for outcome in Outcome if counts[outcome]]
