"""Verdicts as readers see them: in words, and as a bar against the rule."""

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
    """An effect and its interval against the rule, along a line from 0 to 100.

    `accepted` is the stretch that the rule accepts. Infinite ends of the interval lie at the
    line's ends, and are open there.
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
    """Place a finding; None when its effect is not a number."""
    if math.isnan(finding.effect) or math.isnan(finding.low) or math.isnan(finding.high):
        return None
    bound = rule.at_least if rule.at_least is not None else rule.at_most
    assert bound is not None  # a rule has one of the two
    shown = [x for x in (finding.low, finding.effect, finding.high, bound, 0.0) if math.isfinite(x)]
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


def number(value: float) -> str:
    """Three digits, none beyond thousandths; a true minus; ∞ where a bound is open."""
    rounded = round(value, 3)
    text = "∞" if math.isinf(value) else f"{abs(rounded):.3g}"
    return f"−{text}" if rounded < 0 else text


def interval(finding: Finding) -> str:
    """`0.45 [0.3, 0.6]`: the effect and its 95 % interval."""
    return f"{number(finding.effect)} [{number(finding.low)}, {number(finding.high)}]"


def rule_words(rule: Rule) -> str:
    """`≥ 0.2`, on one line."""
    if rule.at_least is not None:
        return f"≥\u00a0{number(rule.at_least)}"
    assert rule.at_most is not None
    return f"≤\u00a0{number(rule.at_most)}"


def where(claim: Claim) -> str:
    """Which experiments a claim looks at, and at what in them: `addition at data size 350`."""
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
    """How many claims had each outcome; outcomes of none are left out."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return [(outcome, counts[outcome]) for outcome in Outcome if counts[outcome]]


SYMBOLS = {
    Outcome.REPRODUCED: "●",
    Outcome.NOT_REPRODUCED: "✕",
    Outcome.UNDECIDED: "◐",
    Outcome.NOT_RUN: "○",
}


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a Markdown table, for a README."""
    lines = [
        "| claim | source | verdict | effect [95 % interval] | rule | seeds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for verdict in verdicts:
        claim, finding = verdict.claim, verdict.finding
        cells = (
            claim.statement,
            claim.source,
            f"{SYMBOLS[verdict.outcome]} {verdict.outcome.description}",
            "" if finding is None else f"{interval(finding)} {finding.unit}",
            rule_words(claim.rule),
            "" if finding is None else str(finding.seeds),
        )
        row = " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells)
        lines.append(f"| {row} |")
    return "\n".join(lines) + "\n"
