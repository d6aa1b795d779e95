"""The parameter norm while a run generalizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena import NormChange
from tests.phenomena.worlds import (
    NOT_RUN,
    STEPS,
    grokking,
    memorizing,
    progression,
    semi_grokking,
    shuffled,
    world,
)


def found(dataset, dynamics="grokking", **options):
    detector = NormChange.from_options({"dynamics": dynamics, **options})
    return detector.find({"experiment": dataset})


def test_the_norm_is_seen_to_fall_through_grokking():
    finding = found(world(lambda size, _, seed: grokking(norm=0.70 + 0.01 * seed)))
    assert finding.high < -0.2
    assert pytest.approx(-0.27, abs=0.02) == finding.effect
    assert finding.evidence == "the norm falls in 20 of the 20 runs that show grokking"


def test_the_norm_is_seen_to_rise_through_progression():
    finding = found(world(lambda size, _, seed: progression(norm=1.5 + 0.01 * seed)), "progression")
    assert finding.low > 0.3
    assert pytest.approx(0.45, abs=0.1) == finding.effect
    assert finding.evidence == "the norm rises in 20 of the 20 runs that show progression"


def test_what_the_norm_does_before_and_after_the_shift_does_not_count():
    run = grokking(memorized=1000, generalized=4000)
    early_and_late = np.where(STEPS < 900, 80.0, np.where(STEPS > 4000, 5.0, 20.0))
    finding = found(world(lambda *_: replace(run, norm=early_and_late)))
    assert pytest.approx(0.0) == finding.effect


def test_progression_is_over_when_accuracy_is_nearly_final():
    run = progression(final=0.6)
    late = np.where(STEPS > 4200, 90.0, 20.0)
    finding = found(world(lambda *_: replace(run, norm=late)), "progression")
    assert pytest.approx(0.0) == finding.effect


def test_only_runs_of_the_kind_asked_for_are_looked_at():
    dataset = world(
        lambda size, _, seed: grokking(norm=0.5) if size > 16 else progression(norm=2.0)
    )
    assert pytest.approx(-0.5, abs=0.05) == found(dataset).effect
    assert found(dataset, "progression").effect > 0.5
    assert 10 == found(dataset).details["runs"]


def test_a_seed_counts_once_whatever_the_number_of_its_runs():
    dataset = world(lambda size, _, seed: grokking() if seed < 3 or size == 8 else NOT_RUN)
    assert 5 == found(dataset).seeds


def test_seeds_that_do_not_grok_are_left_out():
    dataset = world(lambda size, _, seed: grokking() if seed < 3 else memorizing())
    assert 3 == found(dataset).seeds


def test_no_run_of_the_kind_is_not_enough():
    with pytest.raises(NotEnoughDataError, match="0 runs of 0 seeds show grokking") as raised:
        found(world(lambda *_: semi_grokking()))
    # Another seed might grok, where these generalize in part.
    assert not isinstance(raised.value, OutOfReachError)


def test_where_nothing_generalizes_the_claim_is_out_of_reach_once_every_cell_was_trained():
    with pytest.raises(OutOfReachError, match=r"0 runs of 0 seeds show grokking.*0\.1"):
        found(world(lambda *_: memorizing()))
    unfinished = world(lambda size, *_: NOT_RUN if size == 64 else memorizing())
    with pytest.raises(NotEnoughDataError) as raised:
        found(unfinished)
    assert not isinstance(raised.value, OutOfReachError)


def test_no_order_of_the_dataset_matters():
    dataset = world(lambda size, _, seed: grokking(norm=0.6 + 0.01 * seed + size / 1000))
    assert found(dataset) == found(shuffled(dataset, seed=4))


def rising_at_8_falling_at_64(size, data_size, seed):
    """Every second data size of size 64 memorizes only, so that it has half as many runs."""
    if size == 8:
        return progression(norm=1.4 + 0.01 * seed)
    return progression(norm=0.8 + 0.01 * seed) if data_size == 400 else memorizing()


def test_each_size_has_the_same_weight_whatever_the_number_of_its_runs():
    dataset = world(rising_at_8_falling_at_64, sizes=(8, 64), data_sizes=(400, 500))
    by_size = found(dataset, "progression", by_size=True)
    of_8, of_64 = by_size.details["change_of_size"]
    assert of_8 > 0.2
    assert of_64 < 0
    assert pytest.approx(np.sqrt((1 + of_8) * (1 + of_64)) - 1) == by_size.effect
    assert [10, 5] == by_size.details["runs_of_size"]
    assert found(dataset, "progression").effect > by_size.effect
    assert (
        "the norm rises in 10 of the 15 runs that show progression; at size 8 in 10 of 10, "
        "at size 64 in 0 of 5"
    ) == by_size.evidence


def test_a_size_with_fewer_than_two_runs_is_named_and_left_out():
    dataset = world(
        lambda size, _, seed: (
            progression(norm=1.5 + 0.01 * seed)
            if size < 32 or (size == 32 and seed == 0)
            else memorizing()
        ),
        sizes=(8, 16, 32, 64),
    )
    finding = found(dataset, "progression", by_size=True)
    assert finding.evidence.endswith("; left out, with fewer than two such runs: size 32, 64")
    assert ["8", "16", "32", "64"] == finding.details["model_sizes"]
    assert [5, 5, 1, 0] == finding.details["runs_of_size"]
    assert finding.details["change_of_size"][3] is None
    alone = found(dataset.sel(model_size=[8, 16]), "progression", by_size=True)
    assert (alone.effect, alone.low, alone.high) == (finding.effect, finding.low, finding.high)


def test_with_many_sizes_the_evidence_names_the_smallest_and_the_largest():
    dataset = world(
        lambda size, _, seed: grokking(norm=0.6 + 0.01 * seed), sizes=(4, 8, 16, 32, 64)
    )
    finding = found(dataset, by_size=True)
    assert finding.evidence.endswith("; at size 4 in 5 of 5, at size 64 in 5 of 5")


def test_runs_count_by_themselves_where_sizes_have_equal_weight():
    """Two seeds with 20 runs each: between seeds alone, the interval would be far wider."""
    data_sizes = tuple(range(400, 1400, 100))
    dataset = world(
        lambda size, data_size, seed: grokking(norm=0.6 + 0.0001 * ((data_size * 7 + seed) % 13)),
        sizes=(8, 64),
        data_sizes=data_sizes,
        seeds=(0, 1),
    )
    by_run, by_seed = found(dataset, by_size=True), found(dataset)
    assert 2 == by_run.seeds == by_seed.seeds
    assert by_run.high - by_run.low < by_seed.high - by_seed.low


def test_sizes_without_two_runs_of_the_dynamic_are_not_enough():
    with pytest.raises(
        NotEnoughDataError, match="no model size has two runs that show prog"
    ) as raised:
        found(world(lambda *_: grokking()), "progression", by_size=True)
    assert not isinstance(raised.value, OutOfReachError)
    one = world(lambda size, _, seed: grokking() if seed == 0 and size == 8 else memorizing())
    with pytest.raises(NotEnoughDataError, match=r"\(1 runs do in all\)"):
        found(one, by_size=True)
    with pytest.raises(OutOfReachError, match="more seeds cannot test the claim"):
        found(world(lambda *_: memorizing()), by_size=True)


def test_no_order_of_the_dataset_matters_to_sizes_of_equal_weight():
    dataset = world(lambda size, _, seed: grokking(norm=0.6 + 0.01 * seed + size / 1000))
    assert found(dataset, by_size=True) == found(shuffled(dataset, seed=4), by_size=True)
