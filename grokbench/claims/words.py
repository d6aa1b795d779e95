"""Numbers, intervals and rules as readers see them, the same everywhere."""

from __future__ import annotations

import math

from grokbench.phenomena.base import Finding
from grokbench.suite.model import Rule


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


def rule_in_prose(rule: Rule) -> str:
    """The same in running text, which may break its lines anywhere."""
    return rule_words(rule).replace("\u00a0", " ")


def counted(number: int, noun: str) -> str:
    """`1 run`, `12 runs`, `1 000 runs` (with a narrow no-break space)."""
    digits = f"{number:,}".replace(",", "\u202f")
    return f"{digits} {noun}" if number == 1 else f"{digits} {noun}s"


def percent(confidence: float) -> str:
    """`95 %`, `99.4 %`."""
    return f"{100 * confidence:.3g} %"
