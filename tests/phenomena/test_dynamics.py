"""The share of runs that show a training dynamic."""

from __future__ import annotations

import pytest

from grokbench.errors import NotEnoughDataError, OptionsError
from grokbench.phenomena import Dynamics
from tests.phenomena.worlds import NOT_RUN, grokking, memorizing, semi_grokking, world


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
