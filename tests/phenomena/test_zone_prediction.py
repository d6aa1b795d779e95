"""Whether the capacity and critical curves predict the dynamics."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.zone_prediction import ZonePrediction
from tests.phenomena.worlds import (
    NOT_RUN,
    grokking,
    memorizing,
    progression,
    semi_grokking,
    shuffled,
    world,
)
from tests.theory.worlds import DATA_SIZES, MEMORIZATION, SIZES, by_theory, target


def found(dataset, critical=None, **options):
    critical = dataset if critical is None else critical
    data = {"memorization": MEMORIZATION, "critical": critical, "target": dataset}
    return ZonePrediction.from_options(options).find(data)


def test_a_world_that_follows_the_theory_is_predicted_far_better_than_by_a_baseline():
    finding = found(target(by_theory))
    assert finding.details["agreement"] > 0.85
    assert finding.low > 0.1


def test_a_world_where_everything_does_the_same_is_not_predicted_better():
    finding = found(target(lambda *_: memorizing()))
    assert finding.high <= 0


def test_a_world_that_does_not_follow_the_theory_is_not_predicted():
    generator = np.random.default_rng(0)
    kinds = (grokking, memorizing, progression, semi_grokking)
    finding = found(target(lambda *_: kinds[generator.integers(4)]()))
    assert finding.low < 0.1


def test_missing_runs_are_not_scored():
    dataset = target(lambda size, d, seed: NOT_RUN if d == 500 else by_theory(size, d, seed))
    finding = found(dataset)
    assert f"of {len(SIZES) * (len(DATA_SIZES) - 1) * 5} runs" in finding.evidence


def test_two_model_sizes_are_not_enough_to_leave_one_out():
    dataset = world(by_theory, sizes=(8, 64), data_sizes=DATA_SIZES)
    with pytest.raises(NotEnoughDataError, match="read off two others"):
        found(dataset)


def test_the_confusion_table_counts_every_scored_run():
    finding = found(target(by_theory))
    counted = sum(sum(row.values()) for row in finding.details["confusion"].values())
    assert len(SIZES) * len(DATA_SIZES) * 5 == counted


def test_no_order_of_the_datasets_matters():
    dataset = target(by_theory)
    mixed = shuffled(dataset, seed=2)
    data = {"memorization": shuffled(MEMORIZATION, seed=1), "critical": mixed, "target": mixed}
    assert found(dataset).details == ZonePrediction().find(data).details
    assert found(dataset).low == pytest.approx(ZonePrediction().find(data).low)


def test_intervals_are_nested_in_their_confidence():
    dataset = target(by_theory)
    data = {"memorization": MEMORIZATION, "critical": dataset, "target": dataset}
    narrow, wide = (ZonePrediction().at(level).find(data) for level in (0.9, 0.99))
    assert wide.low <= narrow.low <= narrow.effect <= narrow.high <= wide.high


def test_runs_that_are_not_in_the_fit_are_scored_with_all_of_it():
    """With a critical experiment of its own, no model size has to be left out."""
    critical = world(by_theory, sizes=(12, 48, 192), data_sizes=DATA_SIZES, seeds=range(10, 15))
    finding = found(target(by_theory), critical)
    assert "left out" not in finding.evidence
    assert finding.low > 0.05


def test_exchanging_the_model_sizes_destroys_the_finding():
    others = dict(zip(SIZES, (64, 4, 128, 8, 32, 16), strict=True))
    dataset = target(lambda size, *rest: by_theory(others[size], *rest))
    critical = world(by_theory, sizes=(12, 48, 192), data_sizes=DATA_SIZES, seeds=range(10, 15))
    assert found(dataset, critical).high < 0


def test_as_many_seeds_count_as_the_experiment_with_the_fewest_has():
    critical = world(by_theory, sizes=(12, 48, 192), data_sizes=DATA_SIZES, seeds=(10, 11, 12))
    assert 3 == found(target(by_theory), critical).seeds


def test_one_seed_of_the_critical_experiment_is_too_few():
    critical = world(by_theory, sizes=(12, 48, 192), data_sizes=DATA_SIZES, seeds=(10,))
    with pytest.raises(NotEnoughDataError, match="critical curve of two seeds or more"):
        found(target(by_theory), critical)


def test_one_seed_is_too_few():
    dataset = world(by_theory, sizes=SIZES, data_sizes=DATA_SIZES, seeds=(0,))
    with pytest.raises(NotEnoughDataError):
        found(dataset)
