"""Which verdicts changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grokbench.claims import Outcome, Verdict
from grokbench.comparison.verdicts import VerdictPair, pair_verdicts
from grokbench.phenomena.base import Finding
from grokbench.record import Choice
from grokbench.suite.model import Claim, Rule

CLAIM = Claim("rises", "It rises", Choice("slope"), {"experiment": "addition"}, Rule(at_least=0.1))


def verdict(
    outcome: Outcome = Outcome.REPRODUCED,
    interval: tuple[float, float] | None = None,
    **changes: Any,
) -> Verdict:
    finding = interval and Finding(sum(interval) / 2, *interval, "a slope", 5, "seen")
    return Verdict(replace(CLAIM, **changes), outcome, finding, "because")


def pair(first: Verdict, second: Verdict) -> VerdictPair:
    (only,) = pair_verdicts([first], [second])
    return only


def test_another_outcome_without_intervals_is_a_change_unless_a_claim_was_not_judged() -> None:
    judged = [outcome for outcome in Outcome if outcome is not Outcome.NOT_JUDGED]
    for one in Outcome:
        assert not pair(verdict(one), verdict(Outcome.NOT_JUDGED)).changed
        assert not pair(verdict(Outcome.NOT_JUDGED), verdict(one)).changed
    for one in judged:
        for other in judged:
            assert (one is not other) == pair(verdict(one), verdict(other)).changed


def test_another_effect_alone_is_none() -> None:
    assert not pair(verdict(interval=(0.2, 0.3)), verdict(interval=(0.8, 0.9))).changed


def test_claims_that_one_suite_lacks_stand_beside_nothing_and_have_not_changed() -> None:
    pairs = pair_verdicts([verdict(), verdict(name="falls")], [verdict(name="new"), verdict()])
    assert ["rises", "falls", "new"] == [one.claim for one in pairs]
    assert [False] * 3 == [one.changed for one in pairs]
    assert (None, None) == (pairs[1].second, pairs[2].first)


def test_a_claim_that_asks_for_something_else_is_told_and_other_words_are_not() -> None:
    assert ("rule",) == pair(verdict(), verdict(rule=Rule(at_least=0.2))).rewritten
    assert () == pair(verdict(), verdict(statement="Well, it rises", source="Fig. 1")).rewritten


@pytest.mark.parametrize(
    ("interval", "expected"), [((0.0, 0.25), True), ((-0.5, 0.05), False), (None, None)]
)
def test_whether_seeds_may_explain_a_change_is_whether_the_intervals_overlap(
    interval: tuple[float, float] | None, expected: bool | None
) -> None:
    there = pair(verdict(interval=(0.2, 0.4)), verdict(Outcome.UNDECIDED, interval))
    assert expected == there.overlapping
    assert there.differs
    assert there.changed == (not expected)


def test_two_decided_verdicts_that_contradict_each_other_are_a_change_whatever_their_intervals() -> (
    None
):
    other = verdict(Outcome.NOT_REPRODUCED, (0.0, 0.25), rule=Rule(at_least=0.3))
    assert pair(verdict(interval=(0.2, 0.4)), other).changed
