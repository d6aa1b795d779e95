"""How many seeds an undecided claim is expected to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from grokbench.claims import (
    Outcome,
    Outlook,
    Verdict,
    missing_at_next_look,
    score,
    seeds_expected,
    verdicts_document,
    with_outlooks,
)
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.memorization_capacity import MemorizationCapacity
from grokbench.record import Choice, Status
from grokbench.suite.model import Claim, Rule, Sequential, Suite
from grokbench.testing.simulator import Grid, Memory, simulate
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, world

Ends = Callable[[int], tuple[float, float, float]]


class Narrowing(Detector):
    """A detector whose low end, effect and high end depend on the number of seeds alone."""

    name = "narrowing"

    def __init__(self, ends: Ends) -> None:
        super().__init__()
        self.ends = ends
        self.asked: list[int] = []

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seeds = min(dataset.sizes["seed"] for dataset in data.values())
        self.asked.append(seeds)  # of a copy, too: `at` makes shallow ones
        low, effect, high = self.ends(seeds)
        return Finding(effect, low, high, "unit", seeds, "as it was told")


def root(effect: float, width: float = 1.0, least: float = 0.0) -> Ends:
    """An interval of half width max(width / √seeds, least) around the effect."""

    def ends(seeds: int) -> tuple[float, float, float]:
        half = max(width / math.sqrt(seeds), least)
        return effect - half, effect, effect + half

    return ends


def claim(rule: Rule = Rule(at_least=0.1), **given: Any) -> Claim:  # noqa: B008 - it is frozen
    defaults: dict[str, Any] = {
        "name": "a_claim",
        "statement": "Something is seen.",
        "detector": Choice("narrowing"),
        "experiments": {"experiment": "addition"},
    }
    return Claim(rule=rule, **(defaults | given))


def cells(runs: Callable[..., Run] = lambda *_: ending_at(0.5), **axes: Any) -> dict[str, Any]:
    return {"experiment": world(runs, sizes=(8, 16), **axes)}


def outlook(ends: Ends, rule: Rule = Rule(at_least=0.1), **given: Any) -> Outlook:  # noqa: B008
    return seeds_expected(claim(rule), cells(), Narrowing(ends), 0.99, **given)


@pytest.mark.parametrize(
    ("effect", "rule", "seeds"),
    [
        (0.3, Rule(at_least=0.1), 25),
        (0.35, Rule(at_least=0.1), 16),
        (-0.1, Rule(at_least=0.1), 25),
        (0.3, Rule(at_most=0.1), 25),
        (-0.1, Rule(at_most=0.1), 25),
        (0.2, Rule(at_least=0.1), 100),
    ],
)
def test_an_interval_that_narrows_with_the_root_of_the_seeds_is_predicted(effect, rule, seeds):
    """Half a width of 1/√n is as long as the way from the effect to the bound."""
    found = outlook(root(effect), rule)
    assert found.seeds is not None
    assert seeds <= found.seeds <= seeds + 1
    assert f"About {found.seeds} seeds are expected to decide" in found.reason


def test_more_seeds_than_are_allowed_are_not_predicted_as_a_number():
    assert outlook(root(0.3), at_most=25).seeds is not None
    known, unknown = (outlook(root(0.3), at_most=seeds) for seeds in (23, 20))
    assert known.seeds is None
    assert "at the spread seen, more than 23." in known.reason
    assert unknown.seeds is None
    assert "More than 20 seeds are expected to be needed" in unknown.reason


def test_an_effect_on_the_bound_takes_more_seeds_than_are_tried():
    detector = Narrowing(root(0.1001))
    found = seeds_expected(claim(), cells(), detector, 0.99, 200)
    assert found.seeds is None
    assert "More than 200 seeds are expected to be needed: with 320 such seeds" in found.reason
    assert len(detector.asked) <= 8


def test_an_interval_that_stops_shrinking_is_decided_by_no_number_of_seeds():
    found = outlook(root(0.3, least=0.25))
    assert found.seeds is None
    assert "No number of seeds is expected to decide the claim on this grid" in found.reason
    assert "no narrower" in found.reason


def test_an_interval_that_stays_infinite_is_decided_by_no_number_of_seeds():
    found = outlook(lambda _: (-math.inf, 0.3, 0.4))
    assert found.seeds is None
    assert "No number of seeds" in found.reason
    assert "no lower end" in found.reason


def test_an_end_that_is_finite_from_some_seeds_on_decides_there():
    found = outlook(lambda seeds: (0.2 if seeds >= 33 else -math.inf, 0.3, 0.4))
    assert found.seeds == 35


def refusing(error: Exception, until: int) -> Ends:
    def ends(seeds: int) -> tuple[float, float, float]:
        if seeds < until:
            raise error
        return 0.2, 0.3, 0.4

    return ends


def test_what_is_out_of_reach_stays_so_and_the_detector_is_asked_once():
    detector = Narrowing(refusing(OutOfReachError("nothing generalizes at any size"), 10**9))
    found = seeds_expected(claim(), cells(), detector, 0.99)
    assert found.seeds is None
    assert found.reason.endswith("on this grid: nothing generalizes at any size.")
    assert [5] == detector.asked


def test_too_few_seeds_are_cured_by_seeds_and_too_few_sizes_are_not():
    assert outlook(refusing(NotEnoughDataError("needs 12 seeds"), 12)).seeds == 15
    found = outlook(refusing(NotEnoughDataError("needs three sizes"), 10**9))
    assert found.seeds is None
    assert "needs three sizes" in found.reason


def test_a_detector_that_raises_has_no_outlook():
    found = outlook(refusing(ZeroDivisionError("by zero"), 10**9))
    assert found.seeds is None
    assert "ZeroDivisionError" in found.reason


def test_cells_without_runs_come_before_further_seeds():
    def runs(size: int, *_: int) -> Run:
        return NOT_RUN if size == 16 else ending_at(0.5)

    detector = Narrowing(refusing(NotEnoughDataError("needs two sizes"), 10**9))
    found = seeds_expected(claim(), cells(runs), detector, 0.99)
    assert "1 of 2 cells have no finished run, and needs two sizes" in found.reason


def test_one_seed_has_no_spread():
    found = seeds_expected(claim(), cells(seeds=(3,)), Narrowing(root(0.3)), 0.99)
    assert found.seeds is None
    assert "only one seed is trained" in found.reason


def test_experiments_without_results_have_no_outlook():
    found = seeds_expected(claim(), {}, Narrowing(root(0.3)), 0.99)
    assert found.seeds is None
    assert "addition has no results yet" in found.reason


def test_copies_of_one_run_do_not_decide():
    found = outlook(lambda seeds: (0.0, 0.3, 0.4) if seeds == 5 else (0.3, 0.3, 0.3))
    assert found.seeds is None
    assert "the runs seen show no spread" in found.reason


def test_the_seeds_that_a_claim_asks_for_are_counted():
    found = seeds_expected(claim(minimum_seeds=30), cells(), Narrowing(root(5.0)), 0.99)
    assert found.seeds == 30


def test_seeds_without_a_finished_run_do_not_count():
    def runs(_: int, __: int, seed: int) -> Run:
        return NOT_RUN if seed >= 3 else ending_at(0.5)

    detector = Narrowing(root(0.3))
    found = seeds_expected(claim(), cells(runs), detector, 0.99)
    assert found.seeds in (25, 26)
    assert [3, 6, 12, 24, 48] == detector.asked


def tree(seeds: int) -> xr.DataTree:
    return xr.DataTree.from_dict({"/addition": cells(seeds=range(seeds))["experiment"]})


def suite(*claims: Claim, **given: Any) -> Suite:
    return Suite("a_suite", {}, {one.name: one for one in claims}, **given)


class OfSeeds(Detector):
    """A detector whose interval narrows with the root of the seeds, and which keeps its questions."""

    name = "of_seeds"
    asked: ClassVar[list[tuple[int, float]]] = []

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seeds = data["experiment"].sizes["seed"]
        self.asked.append((seeds, round(self.confidence, 6)))
        low, effect, high = root(0.3)(seeds)
        return Finding(effect, low, high, "unit", seeds, "seen")


def judged(asked: Suite, results: xr.DataTree) -> tuple[Verdict, ...]:
    found = score(asked, results, {"of_seeds": OfSeeds})
    OfSeeds.asked.clear()
    return with_outlooks(asked, results, found)


OPEN = claim(name="open", detector=Choice("of_seeds"))
DECIDED = claim(Rule(at_least=-2.0), name="decided", detector=Choice("of_seeds"))


def test_the_reason_of_an_undecided_claim_ends_with_what_it_would_take():
    undecided, decided = judged(suite(OPEN, DECIDED), tree(5))
    assert undecided.outlook is not None
    assert undecided.outlook.seeds in (25, 26)
    assert undecided.reason.endswith(f": seen. {undecided.outlook.reason}")
    assert (decided.outlook, decided.reason) == (None, "seen")
    document = verdicts_document(suite(OPEN, DECIDED), (undecided, decided), tree(5))
    entry, other = document["claims"]
    assert entry["outlook"] == {
        "seeds": undecided.outlook.seeds,
        "words": undecided.outlook.reason,
    }
    assert "outlook" not in other


def test_the_interval_that_must_decide_is_that_of_the_claims_still_open():
    """The allowed errors are those of grokbench.claims.errors: 0.05 / (k + 0.05) for k open claims."""
    for still_open in (2, 3):
        more = [replace(OPEN, name=f"open_{number}") for number in range(still_open)]
        judged(suite(*more, DECIDED), tree(5))
        confidence = 1 - 2 * 0.05 / (still_open + 0.05)
        assert {round(confidence, 6)} == {asked for _, asked in OfSeeds.asked}


def test_a_sequential_claim_is_predicted_from_its_last_look_by_the_error_of_the_next():
    looks = Sequential((5, 8, 40))
    results = tree(8)
    results["addition"]["status"][0, 0, 7] = Status.NOT_RUN
    (waiting,) = judged(suite(OPEN, sequential=looks), results)
    assert waiting.next_look == 8
    assert 5 == min(seeds for seeds, _ in OfSeeds.asked)
    confidence = 1 - 2 * 0.05 / (1 + 0.05) / 3
    assert {round(confidence, 6)} == {asked for _, asked in OfSeeds.asked}
    assert waiting.outlook is not None
    assert waiting.reason.endswith(waiting.outlook.reason)


@pytest.mark.parametrize(("futility", "stops"), [(None, False), (40, False), (20, True)])
def test_a_claim_that_is_expected_to_need_more_seeds_than_declared_is_too_close_to_call(
    futility, stops
):
    """The claim takes about 25 seeds; at its first look it has five."""
    looks = Sequential((5, 8, 40), futility=futility)
    asked = suite(OPEN, sequential=looks)
    (verdict,) = score(asked, tree(40), {"of_seeds": OfSeeds})
    assert (verdict.outcome is Outcome.TOO_CLOSE) == stops
    assert len(verdict.looks) == (1 if stops else 3)
    if stops:
        assert verdict.next_look is None
        assert "More than 20 seeds are expected" in verdict.reason
        assert (verdict,) == with_outlooks(asked, tree(40), (verdict,))


class Breaking(Detector):
    """A detector that raises an error of its own with few seeds."""

    name = "of_seeds"

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seeds = data["experiment"].sizes["seed"]
        low, effect, high = 1 / (seeds - 8 + abs(seeds - 8)), 1.0, 2.0
        return Finding(effect, low, high, "unit", seeds, "seen")


def test_a_claim_of_which_nothing_can_be_said_does_not_stop_for_futility():
    asked = suite(OPEN, sequential=Sequential((5, 12), futility=20))
    (verdict,) = score(asked, tree(12), {"of_seeds": Breaking})
    assert [5, 12] == [look.seeds for look in verdict.looks]


class Looking(Detector):
    """A detector that keeps the data it is shown."""

    name = "looking"
    roles = ("first", "second")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Mapping[str, xr.Dataset]] = []

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        self.seen.append(data)
        return Finding(0.3, 0.0, 0.6, "unit", 5, "seen")


def test_repeated_seeds_have_labels_of_their_own_and_shared_runs_stay_shared():
    both = claim(experiments={"first": "a", "second": "b"})
    first = cells(seeds=(20, 21, 25))["experiment"]
    second = cells(seeds=(20, 21))["experiment"]
    detector = Looking()
    seeds_expected(both, {"first": first, "second": second}, detector, 0.99, 12)
    assert [3, 6, 12] == [data["first"].sizes["seed"] for data in detector.seen]
    assert [2, 6, 12] == [data["second"].sizes["seed"] for data in detector.seen]
    for data in detector.seen:
        runs = [
            dict(zip(one["seed"].values.tolist(), one["run_id"].values[0, 0], strict=True))
            for one in (data["first"], data["second"])
        ]
        assert len(runs[0]) == data["first"].sizes["seed"]
        for seed in runs[0].keys() & runs[1].keys():
            original = 20 + (seed - 20) % 6
            assert runs[0][seed] == first["run_id"].sel(seed=original).values[0, 0]
            assert runs[1][seed] == second["run_id"].sel(seed=original).values[0, 0]


MEMORY = Memory(slope=0.75, spread=0.4)
MEMORY_GRID = Grid((4, 8, 16, 32), (12_769,), 80, random_labels=True, evaluate_every=4000)


def test_the_number_predicted_is_about_the_number_that_simulated_claims_take():
    """The middle of the ratios over simulated experiments lies near one."""
    capacity, rule = MemorizationCapacity.from_options({}), Rule(at_least=0.5)
    ratios = []
    for number in range(7):
        whole = simulate(MEMORY, MEMORY_GRID, number)
        counts = (6, *np.geomspace(7, 80, 12).astype(int))
        taken = next((n for n in counts if decided(capacity, rule, whole.isel(seed=slice(n)))), 80)
        if taken > 6:
            start = {"experiment": whole.isel(seed=slice(6))}
            expected = seeds_expected(claim(rule), start, capacity, 0.995).seeds
            ratios.append((expected or 200) / taken)
    assert len(ratios) >= 4
    assert 0.6 < np.median(ratios) < 1.7


def decided(detector: Detector, rule: Rule, data: xr.Dataset) -> bool:
    try:
        finding = detector.at(0.995).find({"experiment": data})
    except NotEnoughDataError:
        return False
    if rule.at_least is not None:
        return finding.low >= rule.at_least or finding.high < rule.at_least
    assert rule.at_most is not None
    return finding.high <= rule.at_most or finding.low > rule.at_most


class Faulty(Detector):
    """A detector with a mistake that no number of seeds heals."""

    name = "of_seeds"

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        return Finding(*([data["experiment"].sizes["seed"]] * 2), "unit", 5, "seen")


def test_a_detector_that_fails_alike_with_more_seeds_is_given_no_more():
    asked = suite(OPEN, sequential=Sequential((5, 12, 20)))
    (verdict,) = score(asked, tree(5), {"of_seeds": Faulty})
    assert Outcome.UNDECIDED is verdict.outcome
    assert [5] == [look.seeds for look in verdict.looks]
    assert verdict.next_look is None
    assert "raised TypeError" in verdict.reason
    assert "no more seeds are trained for this claim" in verdict.reason
    assert {} == missing_at_next_look(asked, tree(5), [verdict])
