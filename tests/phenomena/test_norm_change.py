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


def found(dataset, dynamics="grokking"):
    return NormChange.from_options({"dynamics": dynamics}).find({"experiment": dataset})


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
