"""The bar of a verdict, and the words for where its claim looks."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from grokbench.phenomena import Finding
from grokbench.report.verdicts import bar, where
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


def test_a_claim_says_where_it_looks() -> None:
    alone = claim("dip", "double_descent", where={"data_size": 350, "model_size": [8, 16]})
    assert "addition at data size 350; model size 8, 16" == where(alone)
    roles = {"memorization": "labels", "target": "addition"}
    assert "memorization: labels, target: addition" == where(
        claim("zones", "zone_prediction", experiments=roles)
    )
