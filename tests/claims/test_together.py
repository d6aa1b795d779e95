"""Several claims judged together: the step-down procedure with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grokbench.claims import Outcome, Summary, Verdict, score
from grokbench.definition import Options
from grokbench.phenomena.base import Detector, Finding
from grokbench.record import Choice
from grokbench.suite.model import Claim, Expected, Rule, Suite
from tests.phenomena.worlds import ending_at, world


class SureOptions(Options):
    sure: float = 1.0


class Sure(Detector):
    """An effect in standard errors, with its interval under the normal distribution."""

    name = "sure"
    Options = SureOptions

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        effect = self.options.sure
        half = float(stats.norm.ppf((1 + self.confidence) / 2))
        return Finding(effect, effect - half, effect + half, "standard errors", 5, "as told")


TREE = xr.DataTree.from_dict({"addition": world(lambda *_: ending_at(0.5), sizes=(8,))})


def verdicts_on(*effects: float) -> list[Outcome]:
    """The outcomes of one claim for each effect (in standard errors): that the effect is above 0."""
    claims = {
        f"claim_{i}": Claim(
            f"claim_{i}",
            "It is over zero.",
            Choice("sure", {"sure": effect}),
            {"experiment": "addition"},
            Rule(at_least=0.0),
        )
        for i, effect in enumerate(effects)
    }
    suite = Suite("many", {}, claims)
    return [verdict.outcome for verdict in score(suite, TREE, {"sure": Sure})]


def test_a_claim_alone_is_judged_by_its_own_interval() -> None:
    assert [Outcome.REPRODUCED] == verdicts_on(1.97)
    assert [Outcome.UNDECIDED] == verdicts_on(1.95)


def test_among_others_it_takes_more() -> None:
    """Of four claims, the first decision is allowed an error of 0.05/4.05: 2.247 standard errors."""
    assert [Outcome.UNDECIDED] * 4 == verdicts_on(2.24, 0.0, 0.0, 0.0)
    assert [Outcome.REPRODUCED, *[Outcome.UNDECIDED] * 3] == verdicts_on(2.25, 0.0, 0.0, 0.0)


def test_each_claim_that_is_decided_makes_the_next_easier() -> None:
    """The second claim alone passes at 95 %, and would not pass among two undecided claims."""
    assert [Outcome.REPRODUCED, Outcome.REPRODUCED] == verdicts_on(5.0, 1.97)


def test_what_fails_is_decided_with_the_same_care() -> None:
    assert [Outcome.NOT_REPRODUCED, *[Outcome.UNDECIDED] * 3] == verdicts_on(-2.25, 0.0, 0.0, 0.0)
    assert [Outcome.UNDECIDED] * 4 == verdicts_on(-2.24, 0.0, 0.0, 0.0)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_the_procedure_is_step_down(effects: list[float]) -> None:
    """Reference: sorted one-sided p values, compared with 0.05 / (claims left + 0.05), at most 0.025."""
    p = stats.norm.sf(np.abs(effects))
    bounds = np.minimum(0.025, 0.05 / (len(p) - np.arange(len(p)) + 0.05))
    decided = set()
    for bound, index in zip(bounds, np.argsort(p, kind="stable"), strict=True):
        if p[index] > bound:
            break
        decided.add(int(index))
    if np.abs(p[:, None] - bounds).min() > 1e-9:
        outcomes = verdicts_on(*effects)
        assert decided == {i for i, outcome in enumerate(outcomes) if outcome.decided}


def test_the_reason_says_that_it_would_have_been_decided_alone() -> None:
    claims = {
        name: Claim(
            name, "", Choice("sure", {"sure": 2.0}), {"experiment": "addition"}, Rule(at_least=0.0)
        )
        for name in ("one", "another", "third", "fourth")
    }
    first, *_ = score(Suite("four", {}, claims), TREE, {"sure": Sure})
    assert first.reason.startswith(
        "would be reproduced by its 95 % interval alone, but not by the 97.5 % interval that the "
        "suite's claims together need (−0.246 to 4.25; rule ≥ 0): "
    )
    assert 1 - 2 * 0.05 / 4.05 == pytest.approx(first.confidence)
    assert first.finding is not None
    assert first.deciding is not None
    assert first.deciding.low < 0 < first.finding.low


class Changeable(Sure):
    """A detector whose wider interval does not contain its narrower one."""

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        low = 1.0 if self.confidence <= 0.95 else -3.0
        return Finding(low + 0.5, low, low + 1, "", 5, "")


def test_an_interval_that_lies_elsewhere_when_it_is_wider_decides_nothing() -> None:
    claims = {
        name: Claim(name, "", Choice("sure"), {"experiment": "addition"}, Rule(at_least=0.0))
        for name in ("one", "another", "third")
    }
    verdicts = score(Suite("three", {}, claims), TREE, {"sure": Changeable})
    assert [Outcome.UNDECIDED] * 3 == [verdict.outcome for verdict in verdicts]


def verdict(outcome: Outcome, expect: Expected = "reproduced") -> Verdict:
    claim = Claim("a", "", Choice("sure"), {}, Rule(at_least=0.0), expect=expect)
    return Verdict(claim, outcome, None, "")


@pytest.mark.parametrize(
    ("outcome", "expect", "contrary", "unsettled"),
    [
        (Outcome.REPRODUCED, "reproduced", 0, 0),
        (Outcome.NOT_REPRODUCED, "reproduced", 1, 0),
        (Outcome.UNDECIDED, "reproduced", 0, 1),
        (Outcome.NOT_RUN, "reproduced", 0, 1),
        (Outcome.REPRODUCED, "not reproduced", 1, 0),
        (Outcome.NOT_REPRODUCED, "not reproduced", 0, 0),
        (Outcome.REPRODUCED, "undecided", 1, 0),
        (Outcome.UNDECIDED, "undecided", 0, 0),
        (Outcome.NOT_RUN, "undecided", 0, 1),
    ],
)
def test_a_change_in_either_direction_is_a_surprise(
    outcome: Outcome, expect: Expected, contrary: int, unsettled: int
) -> None:
    summary = Summary.of([verdict(outcome, expect)])
    assert (contrary, unsettled) == (len(summary.contrary), len(summary.open))


def test_the_score_is_one_sentence() -> None:
    outcomes = [Outcome.REPRODUCED] * 3 + [Outcome.UNDECIDED]
    told = str(Summary.of([verdict(outcome) for outcome in outcomes]))
    assert (
        "3 of 4 claims reproduced, 1 undecided; the probability of any wrong decision is at most 5 %"
        in told
    )
    assert "provided that every interval has its stated coverage" in told
    assert "The suite makes no claims." == str(Summary.of([]))
