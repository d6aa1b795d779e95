"""The share of runs that show a training dynamic."""

from __future__ import annotations

import pytest

from grokbench.errors import NotEnoughDataError, OptionsError
from grokbench.phenomena import Dynamics
from grokbench.phenomena.crossing import Crossing
from tests.phenomena.worlds import NOT_RUN, Run, grokking, memorizing, ramp, semi_grokking, world


def test_the_share_counts_each_seed_once_however_many_cells_it_ran_in():
    runs = world(lambda size, _, seed: grokking() if seed < 4 else memorizing())
    finding = Dynamics().find({"experiment": runs})
    assert (0.8, 5) == (finding.effect, finding.seeds)
    assert finding.low < 0.4  # of 4 of 5 seeds, not of 16 of 20 runs
    assert {"grokking": 16, "ungrokking": 4} == {
        label: count for label, count in finding.details["runs"].items() if count
    }


def test_missing_runs_are_left_out_of_the_share():
    runs = world(lambda size, _, seed: NOT_RUN if size == 8 else grokking())
    finding = Dynamics().find({"experiment": runs})
    assert 1.0 == finding.effect
    assert finding.evidence.startswith("15 of 15 runs show grokking")


def test_another_dynamic_can_be_expected():
    detector = Dynamics.from_options({"expected": "semi-grokking"})
    assert 1.0 == detector.find({"experiment": world(lambda *_: semi_grokking())}).effect


def test_nothing_finished_is_not_enough():
    with pytest.raises(NotEnoughDataError):
        Dynamics().find({"experiment": world(lambda *_: NOT_RUN)})


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(OptionsError, match="generalizing_at must be below generalized_at"):
        Dynamics.from_options({"generalizing_at": 0.95})


def test_a_task_of_ten_classes_is_judged_above_chance_or_the_evidence_says_so():
    """Validation accuracy starts at 0.1, as that of untrained models does, and stays at 0.8 in the end."""
    late = Run(train=ramp(100, 500, 0.1, 1.0), mirror_free=ramp(1000, 2000, 0.1, 0.8))
    runs = {"experiment": world(lambda *_: late)}
    from_zero = Dynamics.from_options({"expected": "progression"}).find(runs)
    assert 1.0 == from_zero.effect
    assert "untrained models have an accuracy of 0.10" in from_zero.evidence
    assert from_zero.evidence.endswith("write above_chance = true")
    options = {"expected": "semi-grokking", "above_chance": True}
    above = Dynamics.from_options(options).find(runs)
    assert 1.0 == above.effect
    assert "untrained" not in above.evidence


def test_with_31_classes_nothing_is_said_of_chance():
    assert "untrained" not in Dynamics().find({"experiment": world(lambda *_: grokking())}).evidence


def test_curves_and_zones_count_from_zero():
    with pytest.raises(OptionsError, match="count from 0; leave it out"):
        Crossing.from_options({"above_chance": True})
