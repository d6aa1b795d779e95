"""Numbers, intervals and rules as text, written the same way everywhere."""

from __future__ import annotations

import math

from grokbench.phenomena.base import Finding
from grokbench.suite.model import Claim, Rule


def number(value: float) -> str:
    """Three significant digits, at most three decimals, a true minus sign, ∞ for an infinite end."""
    rounded = round(value, 3)
    text = "∞" if math.isinf(value) else f"{abs(rounded):.3g}"
    return f"−{text}" if rounded < 0 else text


def interval(finding: Finding) -> str:
    """`0.45 [0.3, 0.6]`: the effect and its 95 % interval."""
    return f"{number(finding.effect)} [{number(finding.low)}, {number(finding.high)}]"


def rule_words(rule: Rule) -> str:
    """`≥ 0.2`, with a no-break space."""
    if rule.at_least is not None:
        return f"≥\u00a0{number(rule.at_least)}"
    assert rule.at_most is not None
    return f"≤\u00a0{number(rule.at_most)}"


def rule_in_prose(rule: Rule) -> str:
    """`≥ 0.2`, with an ordinary space, for running text."""
    return rule_words(rule).replace("\u00a0", " ")


def calibrated(claim: Claim) -> str:
    """What the recipe was chosen on, where that concerns the claim; "" otherwise."""
    return f"recipe calibrated on {claim.calibrated_on}" if claim.calibrated_on else ""


def percent(confidence: float) -> str:
    """`95 %`, `99.4 %`."""
    return f"{100 * confidence:.3g} %"


def seeds_decide(seeds: int, most: int | None = None) -> str:
    """What an undecided claim is expected to take; `most` where that is too many."""
    too_many = "" if most is None else f", more than {most}"
    return f"About {seeds} seeds are expected to decide the claim at the spread seen{too_many}."


def more_seeds_than(most: int, why: str) -> str:
    """An undecided claim takes more seeds than were tried."""
    return f"More than {most} seeds are expected to be needed: {why}."


def no_seeds_decide(why: str) -> str:
    """No number of seeds is of use to an undecided claim."""
    return f"No number of seeds is expected to decide the claim on this grid: {why}."


def no_outlook(why: str) -> str:
    """Nothing can be said yet about what an undecided claim takes."""
    return f"How many seeds the claim takes cannot be said yet: {why}."


def looks_end(seeds: int) -> str:
    """A sequential suite has fewer seeds than its claim is expected to take."""
    return f"The last look of the suite has {seeds}."
