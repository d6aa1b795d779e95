"""Verdicts in words and as bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grokbench.claims import Outcome, Verdict
from grokbench.phenomena import Finding
from grokbench.report import verdict_table
from grokbench.report.verdicts import bar, interval, number, rule_words, where
from grokbench.suite.model import Rule
from tests.report.results import claim

NUMBERS = st.floats(-1e6, 1e6)


def finding(low: float, effect: float, high: float) -> Finding:
    return Finding(effect, low, high, unit="depth of the dip", seeds=5, evidence="it dips")


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS), NUMBERS, st.booleans())
def test_a_bar_keeps_order_and_shows_what_the_rule_accepts(
    values: tuple[float, float, float], bound: float, least: bool
) -> None:
    low, effect, high = sorted(values)
    assume(high - low > 1e-3 or high == low)
    rule = Rule(at_least=bound) if least else Rule(at_most=bound)
    drawn = bar(finding(low, effect, high), rule)
    assert drawn is not None
    assert 0 <= drawn.low <= drawn.effect <= drawn.high <= 100
    assert 0 < drawn.zero < 100
    assert drawn.accepted == ((drawn.bound, 100) if least else (0, drawn.bound))
    if effect > bound:
        assert drawn.effect >= drawn.bound
    if effect < bound:
        assert drawn.effect <= drawn.bound


def test_an_open_end_reaches_the_end_of_the_bar() -> None:
    drawn = bar(finding(1.0, 2.0, math.inf), Rule(at_least=0.5))
    assert drawn is not None
    assert (100, True, False) == (drawn.high, drawn.open_high, drawn.open_low)


def test_an_effect_that_is_not_a_number_has_no_bar() -> None:
    assert bar(finding(0, math.nan, 1), Rule(at_least=0.5)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4567, "0.457"), (-0.3, "−0.3"), (-0.0001, "0"), (1234.5, "1.23e+03"), (-math.inf, "−∞")],
)
def test_numbers_have_three_digits_and_none_beyond_thousandths(value: float, text: str) -> None:
    assert text == number(value)


def test_a_claim_says_where_it_looks() -> None:
    alone = claim("dip", "double_descent", where={"data_size": 350, "model_size": [8, 16]})
    assert "addition at data size 350; model size 8, 16" == where(alone)
    roles = {"memorization": "labels", "target": "addition"}
    assert "memorization: labels, target: addition" == where(
        claim("zones", "zone_prediction", experiments=roles)
    )


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
