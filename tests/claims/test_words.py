"""Numbers, intervals and rules as text, and the tables that show them."""

from __future__ import annotations

import math

import pytest

from grokbench.claims import Outcome, Verdict
from grokbench.claims.markdown import markdown_summary, verdict_table
from grokbench.claims.words import interval, number, percent, rule_words
from grokbench.phenomena import Finding
from grokbench.suite.model import Rule, Suite
from tests.report.results import claim


def finding(low: float, effect: float, high: float) -> Finding:
    return Finding(effect, low, high, unit="depth of the dip", seeds=5, evidence="it dips")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4567, "0.457"), (-0.3, "−0.3"), (-0.0001, "0"), (1234.5, "1.23e+03"), (-math.inf, "−∞")],
)
def test_numbers_have_three_digits_and_none_beyond_thousandths(value: float, text: str) -> None:
    assert text == number(value)


def test_rules_and_intervals_are_written_out() -> None:
    assert "≤\u00a0−0.05" == rule_words(Rule(at_most=-0.05))
    assert "0.45 [0.3, ∞]" == interval(finding(0.3, 0.45, math.inf))


def test_the_table_has_a_row_for_every_verdict_and_cannot_be_broken_by_its_text() -> None:
    piped = claim("dip", "double_descent", statement="It | dips\nand rises.")
    table = verdict_table(
        [
            Verdict(piped, Outcome.REPRODUCED, finding(0.2, 0.3, 0.4), "because"),
            Verdict(claim("later", "double_descent"), Outcome.NOT_RUN, None, "no results"),
        ]
    )
    header, _, first, second = table.splitlines()
    assert header.count("|") == first.replace(r"\|", "").count("|") == second.count("|")
    assert r"It \| dips and rises." in first
    assert "● reproduced" in first
    assert "0.3 [0.2, 0.4] depth of the dip" in first
    assert "○ not run" in second


def test_confidence_has_three_digits() -> None:
    assert ["95 %", "99.4 %"] == [percent(0.95), percent(1 - 0.05 / 9)]


def test_the_summary_says_why_for_what_was_not_expected_and_for_nothing_else() -> None:
    suite = Suite("dips", {}, {}, title="Dips")
    found = Verdict(claim("found", "double_descent"), Outcome.REPRODUCED, None, "all is well")
    lost = Verdict(claim("lost", "double_descent"), Outcome.UNDECIDED, None, "too\nlittle")
    told = markdown_summary(suite, [found, lost])
    assert told.startswith("## Dips\n\n1 of 2 claims reproduced, 1 undecided")
    assert "- **lost**, expected to be reproduced, came out undecided: too little\n" in told
    assert "all is well" not in told
