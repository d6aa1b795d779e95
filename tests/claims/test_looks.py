"""Sequential suites: claims judged at one look after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from grokbench.claims import (
    Outcome,
    Shortfall,
    Verdict,
    missing_at_next_look,
    runs_of,
    score,
    verdicts_document,
    with_outlooks,
)
from grokbench.claims.junit import junit
from grokbench.claims.markdown import verdict_table
from grokbench.cli.verdicts import print_verdicts
from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import settled
from grokbench.record import Choice, Status
from grokbench.report import write_report
from grokbench.suite.model import Claim, Rule, Sequential, Suite
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, world

FIRST = 100
LOOKS = (5, 8, 12)
SEEDS = range(FIRST, FIRST + LOOKS[-1])


class MeanOptions(Options):
    spread: float = 1.0
    """The standard deviation of a run, which the detector is told."""


class Mean(Detector):
    """The mean final accuracy with its normal interval; remembers which seeds it was shown."""

    name = "mean"
    Options = MeanOptions

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        accuracy = settled(data["experiment"], "validation_accuracy").to_numpy().ravel()
        accuracy = accuracy[np.isfinite(accuracy)]
        if (accuracy < 0.05).all():
            raise OutOfReachError("every run stays below 0.05")
        if len(accuracy) < 6 and (accuracy > 0.95).all():
            raise NotEnoughDataError("six runs are needed")
        half = stats.norm.ppf((1 + self.confidence) / 2) * self.options.spread
        half /= np.sqrt(len(accuracy))
        mean = float(accuracy.mean())
        return Finding(mean, mean - half, mean + half, "accuracy", len(accuracy), "as told")


def claim(name: str, size: int, bound: float = 0.5, spread: float = 0.1) -> Claim:
    return Claim(
        name,
        "",
        Choice("mean", {"spread": spread}),
        {"experiment": "addition"},
        Rule(at_least=bound),
        {"model_size": [size]},
    )


def judged(
    accuracies: Mapping[int, float | Sequence[float]],
    claims: Sequence[Claim],
    trained: Mapping[int, int] | None = None,
    looks: tuple[int, ...] = LOOKS,
) -> dict[str, Verdict]:
    """The verdicts where the runs of each size end at an accuracy, or each seed at its own.

    `trained`: for each size, how many seeds are trained; all by default.
    """
    suite, tree = results(accuracies, claims, trained or {}, looks)
    return {verdict.claim.name: verdict for verdict in score(suite, tree, {"mean": Mean})}


def results(
    accuracies: Mapping[int, float | Sequence[float]],
    claims: Sequence[Claim],
    trained: Mapping[int, int],
    looks: tuple[int, ...] = LOOKS,
) -> tuple[Suite, xr.DataTree]:
    def run(size: int, _: int, seed: int) -> Run:
        index = seed - FIRST
        if index >= trained.get(size, len(SEEDS)):
            return NOT_RUN
        level = accuracies[size]
        return ending_at(level if isinstance(level, float) else level[index])

    tree = xr.DataTree.from_dict({"addition": world(run, sizes=tuple(accuracies), seeds=SEEDS)})
    suite = Suite(
        "looks", {}, {one.name: one for one in claims}, sequential=Sequential(looks, FIRST)
    )
    return suite, tree


def test_a_claim_that_is_decided_stops_and_later_seeds_change_nothing() -> None:
    early = judged({8: 0.9}, [claim("high", 8)], {8: 5})["high"]
    assert Outcome.REPRODUCED is early.outcome
    assert [5] == [look.seeds for look in early.looks]
    assert early.next_look is None
    later = judged({8: [0.9] * 5 + [0.1] * 7}, [claim("high", 8)])["high"]
    assert (early.outcome, early.finding, early.deciding, early.looks) == (
        later.outcome,
        later.finding,
        later.deciding,
        later.looks,
    )


def test_a_claim_is_judged_on_the_first_seeds_of_each_look() -> None:
    levels = [0.5] * 5 + [0.9] * 3 + [0.1] * 4
    verdict = judged({8: levels}, [claim("high", 8)])["high"]
    assert Outcome.REPRODUCED is verdict.outcome
    assert [5, 8] == [look.seeds for look in verdict.looks]
    assert [Outcome.UNDECIDED, Outcome.REPRODUCED] == [look.outcome for look in verdict.looks]
    assert 0.65 == pytest.approx(verdict.looks[-1].effect)
    assert verdict.finding is not None
    assert 8 == verdict.finding.seeds


def test_each_look_is_allowed_its_share_of_the_error() -> None:
    """Two claims, three looks: 0.05/2.05/3 for the first decision, then 0.05/1.05/3 from then on."""
    claims = [claim("high", 8), claim("close", 16)]
    verdicts = judged({8: [0.5] * 5 + [0.9] * 7, 16: 0.5}, claims)
    assert 2 == len(verdicts["high"].looks)
    for look in verdicts["high"].looks:
        assert 0.05 / 2.05 / 3 == pytest.approx(look.error)
    assert [0.05 / 2.05 / 3, 0.05 / 1.05 / 3, 0.05 / 1.05 / 3] == pytest.approx(
        [look.error for look in verdicts["close"].looks]
    )
    for look in (*verdicts["high"].looks, *verdicts["close"].looks):
        assert look.confidence == pytest.approx(1 - 2 * look.error)
        half = stats.norm.isf(look.error) * 0.1 / np.sqrt(look.seeds)
        assert look.effect is not None
        assert look.low == pytest.approx(look.effect - half)


def test_an_effect_that_passes_without_looks_does_not_pass_at_a_first_look() -> None:
    """2.1 standard errors: enough for one look at one claim, not for the first of three."""
    level = 0.5 + 2.1 * 0.1 / np.sqrt(5)
    assert Outcome.REPRODUCED is judged({8: level}, [claim("a", 8)], looks=(5,))["a"].outcome
    first = judged({8: level}, [claim("a", 8)], {8: 5})["a"]
    assert Outcome.UNDECIDED is first.outcome
    assert 8 == first.next_look


def test_a_claim_that_spends_all_seeds_is_too_close_to_call() -> None:
    verdict = judged({8: 0.5}, [claim("close", 8)])["close"]
    assert Outcome.TOO_CLOSE is verdict.outcome
    assert verdict.reason.startswith("all 12 seeds are spent")
    assert (3, None) == (len(verdict.looks), verdict.next_look)
    assert verdict.finding is not None


def test_what_no_run_reaches_is_out_of_reach_at_the_first_look() -> None:
    verdict = judged({8: 0.01}, [claim("low", 8)], {8: 5})["low"]
    assert Outcome.OUT_OF_REACH is verdict.outcome
    assert (None, None) == (verdict.finding, verdict.next_look)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(Status.DIVERGED, Outcome.OUT_OF_REACH), (Status.FAILED, Outcome.UNDECIDED)],
)
def test_a_diverged_run_has_ended_and_a_failed_run_may_be_trained_again(
    status: Status, outcome: Outcome
) -> None:
    suite, tree = results({8: 0.01}, [claim("low", 8)], {8: 5})
    tree["addition"]["status"][{"model_size": 0, "data_size": 0, "seed": 2}] = int(status)
    (verdict,) = score(suite, tree, {"mean": Mean})
    assert outcome is verdict.outcome


def test_a_look_without_an_interval_has_spent_its_share_of_the_error() -> None:
    few = judged({8: 1.0}, [claim("high", 8)])["high"].looks[0]
    nothing = judged({8: 0.01}, [claim("low", 8)])["low"].looks[0]
    for look in (few, nothing):
        assert look.effect is None
        assert 0.05 / 1.05 / 3 == pytest.approx(look.error)


def test_the_last_look_without_a_finding_says_that_all_seeds_are_spent() -> None:
    verdict = judged({8: 1.0}, [claim("high", 8)], looks=(2, 3))["high"]
    assert (Outcome.UNDECIDED, None) == (verdict.outcome, verdict.next_look)
    assert "all 3 seeds are spent: six runs are needed" == verdict.reason


def test_a_first_look_that_is_allowed_almost_no_error_is_a_look() -> None:
    """At 2 of 100 seeds, O'Brien and Fleming allow an error that no floating-point number shows."""
    suite, tree = results({8: 0.6}, [claim("close", 8)], {8: 2}, looks=(2, 100))
    suite = replace(suite, sequential=Sequential((2, 100), FIRST, "obrien_fleming"))
    (verdict,) = with_outlooks(suite, tree, score(suite, tree, {"mean": Mean}))
    (look,) = verdict.looks
    assert look.effect == pytest.approx(0.6)
    assert 0 < look.error < 1e-14
    assert "seeds are expected" in verdict.reason


def test_runs_that_have_not_told_their_parts_are_waited_for() -> None:
    """A dataset has the dimension `part` when a run has ended, and not before."""
    part = replace(claim("part", 8), where={"model_size": [8], "part": "addition"})
    suite, tree = results({8: 0.9}, [part], {8: 0})
    tree["addition"] = tree["addition"].to_dataset().drop_dims("part", errors="ignore")
    verdicts = score(suite, tree, {"mean": Mean})
    assert (Outcome.NOT_RUN, 5) == (verdicts[0].outcome, verdicts[0].next_look)
    assert {5: 5} == {
        look: len(runs) for look, runs in missing_at_next_look(suite, tree, verdicts).items()
    }


def test_too_little_data_at_one_look_is_no_end() -> None:
    verdict = judged({8: 1.0}, [claim("high", 8)])["high"]
    assert Outcome.REPRODUCED is verdict.outcome
    assert [None, pytest.approx(1.0)] == [look.effect for look in verdict.looks]


def test_nobody_looks_before_all_runs_of_a_look_have_ended() -> None:
    claims = [claim("part", 8), claim("none", 16), claim("whole", 32)]
    verdicts = judged({8: 0.9, 16: 0.9, 32: 0.5}, claims, {8: 4, 16: 0, 32: 7})
    assert (Outcome.UNDECIDED, None, (), 5) == (
        verdicts["part"].outcome,
        verdicts["part"].finding,
        verdicts["part"].looks,
        verdicts["part"].next_look,
    )
    assert "waits for the look at 5 seeds (1 run missing)" == verdicts["part"].reason
    assert Outcome.NOT_RUN is verdicts["none"].outcome
    assert [5] == [look.seeds for look in verdicts["whole"].looks]
    assert "; waits for the look at 8 seeds (1 run missing)" in verdicts["whole"].reason
    assert not verdicts["whole"].whole


def test_only_open_claims_need_more_runs() -> None:
    claims = [claim("high", 8), claim("close", 16), claim("waiting", 32)]
    suite, tree = results({8: 0.9, 16: 0.5, 32: 0.5}, claims, {8: 5, 16: 5, 32: 3})
    verdicts = score(suite, tree, {"mean": Mean})
    missing = missing_at_next_look(suite, tree, verdicts)
    runs = tree["addition"].to_dataset()["run_id"]

    def ids(size: int, seeds: Sequence[int]) -> set[str]:
        return set(runs.sel(model_size=size, seed=list(seeds)).to_numpy().ravel().tolist())

    assert {5: ids(32, [103, 104]), 8: ids(16, [105, 106, 107])} == missing
    assert [5, 8] == list(missing)


def test_a_decision_frees_error_from_its_look_on() -> None:
    """The other claim is near: 2.4 standard errors at 5 seeds pass once the first is decided."""
    near = 0.5 + 2.4 * 0.1 / np.sqrt(5)
    claims = [claim("near", 8), claim("high", 16)]
    alone = judged({8: near, 16: 0.5}, claims)["near"]
    beside = judged({8: near, 16: 0.9}, claims)["near"]
    assert not alone.looks[0].outcome.decided
    assert [True] == [look.outcome.decided for look in beside.looks]


def test_the_document_has_the_looks() -> None:
    claims = [claim("close", 8)]
    suite, tree = results({8: 0.5}, claims, {8: 8})
    (entry,) = verdicts_document(suite, score(suite, tree, {"mean": Mean}), tree)["claims"]
    assert [(5, "undecided"), (8, "undecided")] == [
        (look["seeds"], look["outcome"]) for look in entry["looks"]
    ]
    assert 12 == entry["next_look"]


def stopped_early(level: float, futility: int | None) -> Verdict:
    suite, tree = results({8: level}, [claim("close", 8)], {8: 5})
    sequential = Sequential(LOOKS, FIRST, futility=futility)
    suite = Suite(suite.name, {}, suite.claims, sequential=sequential)
    return score(suite, tree, {"mean": Mean})[0]


def test_a_declared_futility_stop_ends_a_claim_that_would_need_too_many_seeds() -> None:
    """At half a standard deviation from the bound, about 18 seeds decide; at a tenth, about 460."""
    assert Outcome.UNDECIDED is stopped_early(0.51, None).outcome
    hopeless = stopped_early(0.51, 100)
    assert Outcome.TOO_CLOSE is hopeless.outcome
    assert hopeless.next_look is None
    assert "More than 100 seeds are expected to be needed" in hopeless.reason
    hopeful = stopped_early(0.55, 100)
    assert (Outcome.UNDECIDED, 8) == (hopeful.outcome, hopeful.next_look)


def test_only_the_runs_of_a_claims_looks_count_as_missing() -> None:
    """High was decided on 5 seeds; close waits for the look at 8, with 6 seeds trained."""
    suite, tree = results({8: 0.9, 16: 0.5}, [claim("high", 8), claim("close", 16)], {8: 7, 16: 6})
    verdicts = score(suite, tree, {"mean": Mean})
    shortfall = Shortfall.of(runs_of(verdicts, tree))
    assert (13, 2) == (shortfall.runs, shortfall.missing)
    high, close = verdicts_document(suite, verdicts, tree)["claims"]
    assert (5, 0) == (high["cells"]["experiment"]["done"], high["cells"]["experiment"]["not_run"])
    assert (6, 2) == (close["cells"]["experiment"]["done"], close["cells"]["experiment"]["not_run"])


def test_a_verdict_says_what_the_recipe_was_calibrated_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chosen = replace(claim("high", 8), calibrated_on="the end points of Fig. 3")
    suite, tree = results({8: 0.9}, [chosen], {})
    verdicts = score(suite, tree, {"mean": Mean})
    print_verdicts(verdicts)
    page = write_report(tree, suite, verdicts, tmp_path / "report.html").read_text()
    told = (
        capsys.readouterr().out,
        verdict_table(verdicts),
        junit(suite, verdicts, datetime.now(UTC)).decode(),
        page,
        json.dumps(verdicts_document(suite, verdicts, tree)),
    )
    for text in told:
        assert "the end points of Fig. 3" in text


def test_a_later_look_is_preliminary_while_a_claim_waits_for_an_earlier_one() -> None:
    """With five seeds of size 16, high is decided at 5, which decides near at 5 as well."""
    near = [0.5 + 2.4 * 0.1 / np.sqrt(5)] * 5 + [0.2] * 7
    claims = [claim("near", 8), claim("high", 16)]
    before = judged({8: near, 16: 0.9}, claims, {16: 3})["near"]
    assert (Outcome.NOT_REPRODUCED, False) == (before.outcome, before.whole)
    assert before.reason.startswith("preliminary, because a claim waits for the look at 5 seeds")
    after = judged({8: near, 16: 0.9}, claims)["near"]
    assert (Outcome.REPRODUCED, True) == (after.outcome, after.whole)
