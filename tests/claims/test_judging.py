"""Judging one claim, and scoring all claims of a suite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.claims import Outcome, detector_of, judge, score, selected, verdicts_document
from grokbench.errors import NotEnoughDataError, OptionsError, UnknownNameError
from grokbench.phenomena import BUILT_IN
from grokbench.phenomena.base import Detector, Finding
from grokbench.record import Choice, Status
from grokbench.suite.model import Claim, Rule, Suite
from tests.phenomena.worlds import (
    NOT_RUN,
    Run,
    ending_at,
    grokking,
    memorizing_random_labels,
    shuffled,
    world,
)

DETECTORS = {detector.name: detector for detector in BUILT_IN}


class Saying(Detector):
    """A detector that returns a given finding."""

    name = "saying"

    def __init__(self, effect: float, low: float, high: float, seeds: int = 5) -> None:
        super().__init__()
        self.finding = Finding(effect, low, high, "unit", seeds, "as it was told")
        self.seen: dict[str, xr.Dataset] = {}

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        self.seen.update(data)  # of a copy, too: `at` makes shallow ones
        return self.finding


class Refusing(Detector):
    """A detector that raises a given error."""

    name = "refusing"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        raise self.error


class Reading(Detector):
    """A detector that counts how often it and its copies have read data."""

    name = "reading"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.read: list[xr.Dataset] = []

    def _mean(self, dataset: xr.Dataset) -> float:
        self.read.append(dataset)
        return float(dataset["mirror_free_accuracy"].isel(step=-1).mean())

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        mean, half = self.once(self._mean, data["experiment"]), self.confidence - 0.95
        return Finding(mean, mean - half, mean + half, "unit", 5, "the mean")


def claim(rule: Rule = Rule(at_least=0.1), **given: Any) -> Claim:  # noqa: B008 - it is frozen
    defaults: dict[str, Any] = {
        "name": "a_claim",
        "statement": "Something is seen.",
        "detector": Choice("saying"),
        "experiments": {"experiment": "addition"},
    }
    return Claim(rule=rule, **(defaults | given))


def grid(runs=lambda *_: ending_at(0.5), **axes: Any) -> dict[str, xr.Dataset]:
    return {"experiment": world(runs, **axes)}


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        (Rule(at_least=0.1), 0.1, 0.5, Outcome.REPRODUCED),
        (Rule(at_least=0.1), 0.05, 0.5, Outcome.UNDECIDED),
        (Rule(at_least=0.1), 0.0, 0.1, Outcome.UNDECIDED),
        (Rule(at_least=0.1), -0.2, 0.09, Outcome.NOT_REPRODUCED),
        (Rule(at_most=0.1), -0.2, 0.1, Outcome.REPRODUCED),
        (Rule(at_most=0.1), 0.05, 0.5, Outcome.UNDECIDED),
        (Rule(at_most=0.1), 0.11, 0.5, Outcome.NOT_REPRODUCED),
        (Rule(at_least=0), 1.0, np.inf, Outcome.REPRODUCED),
        (Rule(at_most=0), -np.inf, np.inf, Outcome.UNDECIDED),
    ],
)
def test_a_rule_is_decided_only_when_the_whole_interval_is_on_one_side(rule, low, high, expected):
    middle = low if high == np.inf else (low + high) / 2
    detector = Saying(max(middle, -1e9), low, high)
    assert expected is judge(claim(rule), grid(), detector).outcome


finite = st.floats(-5, 5)
ONE_CELL = grid(sizes=(8,))


@given(st.tuples(finite, finite, finite).map(sorted), finite)
def test_at_least_and_at_most_never_hold_together_strictly(ends, bound):
    low, effect, high = ends
    outcomes = [
        judge(claim(rule), ONE_CELL, Saying(effect, low, high)).outcome
        for rule in (Rule(at_least=bound), Rule(at_most=bound))
    ]
    both = outcomes == [Outcome.REPRODUCED] * 2
    assert both == (low == high == bound)


def test_fewer_seeds_than_the_claim_asks_for_decide_nothing():
    detector = Saying(0.5, 0.4, 0.6, seeds=3)
    verdict = judge(claim(), grid(), detector)
    assert Outcome.UNDECIDED is verdict.outcome
    assert "3 seeds, but the claim asks for at least 5: " in verdict.reason
    assert Outcome.REPRODUCED is judge(claim(minimum_seeds=3), grid(), detector).outcome


def test_more_seeds_than_there_are_decide_nothing():
    """A seed whose run diverged counts as trained; a seed that was not run does not."""
    runs = {0: NOT_RUN, 1: Run(status=Status.DIVERGED)}
    there = grid(lambda size, data_size, seed: runs.get(seed, ending_at(0.5)))
    verdict = judge(claim(), there, Saying(0.5, 0.4, 0.6, seeds=5))
    assert Outcome.UNDECIDED is verdict.outcome
    assert "the detector reports 5 seeds, but only 4 were trained: " in verdict.reason
    four = Saying(0.5, 0.4, 0.6, seeds=4)
    assert Outcome.REPRODUCED is judge(claim(minimum_seeds=4), there, four).outcome


def test_too_little_data_is_undecided_and_says_what_is_lacking():
    verdict = judge(claim(), grid(), Refusing(NotEnoughDataError("three sizes are needed")))
    assert (Outcome.UNDECIDED, None) == (verdict.outcome, verdict.finding)
    assert "three sizes are needed" == verdict.reason


def test_a_detector_that_breaks_costs_only_its_own_verdict():
    verdict = judge(claim(), grid(), Refusing(ValueError("oh")))
    assert Outcome.UNDECIDED is verdict.outcome
    assert "detector 'saying' raised ValueError: oh (test_judging.py, line " in verdict.reason


def test_an_effect_that_is_no_number_decides_nothing():
    detector = Saying(float("nan"), float("nan"), float("nan"))
    assert Outcome.UNDECIDED is judge(claim(), grid(), detector).outcome


def test_nothing_finished_is_not_run():
    verdict = judge(claim(), grid(lambda *_: NOT_RUN), Saying(1, 1, 1))
    assert Outcome.NOT_RUN is verdict.outcome
    assert "no finished run in addition (20 of 20 runs are left out: 20 not run)" == verdict.reason
    assert not verdict.whole


def test_an_experiment_without_results_is_not_run():
    verdict = judge(claim(), {}, Saying(1, 1, 1))
    assert (Outcome.NOT_RUN, "no results of addition") == (verdict.outcome, verdict.reason)


def test_missing_cells_are_counted_in_the_reason():
    def run(size: int, _: int, seed: int) -> Run:
        if seed == 0:
            return Run(status=Status.DIVERGED) if size == 8 else NOT_RUN
        return ending_at(0.5)

    verdict = judge(claim(minimum_seeds=4), grid(run), Saying(1, 1, 1, seeds=4))
    assert Outcome.REPRODUCED is verdict.outcome
    assert verdict.reason.startswith("preliminary: ")
    assert verdict.reason.endswith("(4 of 20 runs are left out: 3 not run, 1 diverged)")
    assert not verdict.whole


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.5, float("nan")])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(ValueError, match="a confidence lies between 0 and 1"):
        Saying(1, 1, 1).at(confidence)


def test_a_selection_keeps_every_dimension():
    detector = Saying(1, 1, 1)
    where = {"data_size": 450, "model_size": [64, "1x8"]}
    judge(claim(where=where), grid(data_sizes=(350, 450)), detector)
    assert {"model_size": 2, "data_size": 1, "seed": 5} == {
        name: length for name, length in detector.seen["experiment"].sizes.items() if name != "step"
    }


@pytest.mark.parametrize("wanted", ["8x1024", ["8x1024"]])
def test_model_sizes_are_selected_by_their_labels(wanted):
    datasets = {
        "experiment": grid(sizes=(8, 16))["experiment"].assign_coords(model_size=["64", "8x1024"])
    }
    seen = selected(claim(where={"model_size": wanted}), datasets)["experiment"]
    assert ["8x1024"] == seen["model_size"].to_numpy().tolist()
    one_layer = selected(claim(where={"model_size": 64}), datasets)["experiment"]
    assert ["64"] == one_layer["model_size"].to_numpy().tolist()


def test_a_selection_applies_to_the_datasets_that_have_the_dimension():
    swept = grid()["experiment"].expand_dims(learning_rate=[0.001, 0.003])
    datasets = {"swept": swept, "plain": grid()["experiment"]}
    seen = selected(claim(where={"learning_rate": 0.003}), datasets)
    assert (1, False) == (
        seen["swept"].sizes["learning_rate"],
        "learning_rate" in seen["plain"].dims,
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"data_size": 999}, "where.data_size: there is no 999; known: 400"),
        (
            {"datasize": 400},
            "where.datasize: there is no such dimension; did you mean 'data_size'?",
        ),
    ],
)
def test_a_selection_of_what_is_not_there_is_undecided_and_says_what_is(where, message):
    verdict = judge(claim(where=where), grid(), Saying(1, 1, 1))
    assert (Outcome.UNDECIDED, message) == (verdict.outcome, verdict.reason)


def tree_of(datasets: Mapping[str, xr.Dataset]) -> xr.DataTree:
    return xr.DataTree.from_dict({"addition": datasets["experiment"]})


def suite_of(*claims: Claim) -> Suite:
    return Suite("small", {}, {each.name: each for each in claims}, title="Small", citation="Us")


def grokking_claim(name: str = "groks", **given: Any) -> Claim:
    return claim(Rule(at_least=0.5), name=name, detector=Choice("dynamics"), **given)


def test_what_does_not_depend_on_the_confidence_is_read_once_for_a_claim():
    """The claim is decided at 95 %, and then asked for a surer interval; each claim reads for itself."""
    tree = xr.DataTree.from_dict({"addition": grid()["experiment"]})
    claims = [claim(name=name, detector=Choice("reading")) for name in ("one", "two", "three")]
    verdicts = score(suite_of(*claims), tree, {"reading": Reading})
    assert ["reproduced"] * 3 == [verdict.outcome.value for verdict in verdicts]
    assert verdicts[0].confidence > 0.95
    assert [1, 1, 1] == [len(verdict.detector.read) for verdict in verdicts]


def test_a_detector_outside_a_suite_reads_the_data_anew():
    """So data that a notebook changes in between are seen."""
    detector, data = Reading(), grid()
    assert 0.5 == pytest.approx(detector.find(data).effect)
    data["experiment"]["mirror_free_accuracy"][...] = 0.75
    assert 0.75 == pytest.approx(detector.at(0.99).find(data).effect)


def test_a_suite_is_scored_claim_by_claim_in_the_order_of_the_file():
    many = world(lambda *_: grokking(), seeds=range(11))
    tree = xr.DataTree.from_dict({"addition": many})
    suite = suite_of(
        grokking_claim(),
        grokking_claim("elsewhere", experiments={"experiment": "nowhere"}),
    )
    verdicts = score(suite, tree, DETECTORS)
    assert [("groks", Outcome.REPRODUCED), ("elsewhere", Outcome.NOT_RUN)] == [
        (verdict.claim.name, verdict.outcome) for verdict in verdicts
    ]


def test_a_detector_nobody_registered_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'dynamics'"):
        detector_of(claim(detector=Choice("dynamic")), DETECTORS)


def test_options_a_detector_does_not_take_are_an_error():
    with pytest.raises(OptionsError, match="did you mean 'expected'"):
        detector_of(claim(detector=Choice("dynamics", {"expectd": "grokking"})), DETECTORS)


def test_the_document_survives_json_infinities_and_all():
    told = Saying(1.0, 0.5, float("inf"))
    odd = {"array": np.array([1.0, np.nan]), "count": np.int64(3), 5: (True, None)}
    finding = Finding(1.0, 0.5, float("inf"), "unit", 5, "seen", odd)
    told.finding = finding
    absent = claim(name="absent", experiments={"experiment": "nowhere"})
    verdicts = (judge(claim(), grid(), told), judge(absent, {}, told))
    document = verdicts_document(suite_of(claim(), absent), verdicts, tree_of(grid()))
    assert document == json.loads(json.dumps(document, allow_nan=False))
    counts = {outcome: document["score"].get(outcome.value, 0) for outcome in Outcome}
    assert [1, 0, 0, 1, 0, 0, 0] == list(counts.values())
    first, second = document["claims"]
    assert ("inf", {"array": [1.0, None], "count": 3, "5": [True, None]}) == (
        first["finding"]["high"],
        first["finding"]["details"],
    )
    assert {"at_least": 0.1} == first["rule"]
    assert second["finding"] is None


def test_every_outcome_has_words_and_a_colour():
    words = ["reproduced", "not reproduced", "undecided", "not run", "out of reach"]
    assert [*words, "too close to call", "not judged"] == [
        outcome.description for outcome in Outcome
    ]
    assert all(outcome.style for outcome in Outcome)


SIZES = (8, 16, 32, 64)
DATA_SIZES = (350, 450)
SEEDS = (0, 1, 2)


@st.composite
def results(draw: st.DrawFn) -> xr.DataTree:
    """Two experiments with arbitrary runs, some of which are missing."""
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))

    def anything(size: int, data_size: int, seed: int) -> Run:
        if generator.random() < 0.15:
            return NOT_RUN
        kinds = (grokking(), ending_at(float(generator.random())))
        return kinds[generator.integers(2)]

    def labels(size: int, *_: int) -> Run:
        return memorizing_random_labels(min(1.0, size / 40 + 0.05 * generator.random()))

    return xr.DataTree.from_dict(
        {
            "addition": world(anything, sizes=SIZES, data_sizes=DATA_SIZES, seeds=SEEDS),
            "labels": world(labels, sizes=SIZES, data_sizes=(961,), seeds=SEEDS),
        }
    )


EVERY_DETECTOR = [
    grokking_claim("dynamics"),
    claim(name="capacity", detector=Choice("memorization_capacity"),
          experiments={"experiment": "labels"}),
    claim(name="critical", detector=Choice("critical_data_size")),
    claim(name="dip", detector=Choice("double_descent"), where={"data_size": 350}),
    claim(name="deeper", detector=Choice("deeper_double_descent"), where={"data_size": [450]},
          experiments={"easier": "addition", "harder": "addition"}),
    claim(Rule(at_most=0), name="norm", detector=Choice("norm_change")),
    claim(name="emergence", detector=Choice("emergence"), where={"data_size": 350},
          experiments={"reference": "addition", "shifted": "addition"}),
    claim(name="gap", detector=Choice("accuracy_gap"), where={"data_size": 350},
          experiments={"reference": "addition", "shifted": "addition"}),
    claim(name="zones", detector=Choice("zone_prediction"),
          experiments={"memorization": "labels", "critical": "addition", "target": "addition"}),
    claim(name="probabilities", detector=Choice("zone_probabilities"),
          experiments={"memorization": "labels", "critical": "addition", "target": "addition"}),
    claim(name="crossing", detector=Choice("crossing"),
          experiments={"memorization": "labels", "critical": "addition"}),
    claim(name="walls", detector=Choice("reduced_loss", {"axis": "model_size"}),
          where={"data_size": 350}),
    claim(name="delay", detector=Choice("grokking_delay"),
          where={"data_size": 350, "model_size": 16}),
    claim(name="law", detector=Choice("delay_law", {"axis": "model_size"}),
          where={"data_size": 350}),
    claim(name="ratio", detector=Choice("delay_ratio"),
          where={"data_size": 350, "model_size": 16},
          experiments={"reference": "addition", "shifted": "addition"}),
]  # fmt: skip


def test_every_built_in_detector_is_tried_below():
    assert set(DETECTORS) == {each.detector.name for each in EVERY_DETECTOR}


def spoiled(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with zeros in the cells without a finished run."""
    done = dataset["status"] == int(Status.DONE)
    names = ("train_accuracy", "validation_accuracy", "mirror_free_accuracy")
    return dataset.assign({name: dataset[name].where(done, 0.0) for name in names})


@effort(max_examples=4)
@given(results(), st.integers(0, 100))
def test_no_verdict_depends_on_the_order_of_the_grid_or_on_cells_without_a_finished_run(tree, seed):
    """Seeds, sizes and cells may stand in any order, and unfinished cells may hold any number."""
    changed = xr.DataTree.from_dict(
        {name: shuffled(spoiled(one.to_dataset()), seed) for name, one in tree.children.items()}
    )
    suite = suite_of(*EVERY_DETECTOR)
    expected, observed = score(suite, tree, DETECTORS), score(suite, changed, DETECTORS)
    for verdict in expected:
        assert "raised" not in verdict.reason
    documents = [
        json.dumps(verdicts_document(suite, verdicts, tree)) for verdicts in (expected, observed)
    ]
    assert documents[0] == documents[1]
