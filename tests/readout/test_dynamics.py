"""Each run's training dynamic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.norm_change import NormChangeOptions
from grokbench.readout import Dynamic, Thresholds, chance_level, classify
from grokbench.record import Status
from tests.phenomena.worlds import (
    NOT_RUN,
    STEPS,
    Run,
    grokking,
    memorizing,
    memorizing_random_labels,
    progression,
    ramp,
    semi_grokking,
    single,
    world,
)


def dynamic_of(run: Run, **thresholds: Any) -> Dynamic:
    return Dynamic(classify(single(run), Thresholds(**thresholds))["dynamic"].item())


def censored(run: Run) -> bool:
    return bool(classify(single(run))["censored"].item())


NOTHING = Run(train=ramp(100, 500, 0.03, 0.3))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (grokking(), Dynamic.GROKKING),
        (semi_grokking(), Dynamic.SEMI_GROKKING),
        (memorizing(), Dynamic.UNGROKKING),
        (progression(), Dynamic.PROGRESSION),
        (NOTHING, Dynamic.NONE),
        (NOT_RUN, Dynamic.UNKNOWN),
        (memorizing_random_labels(1.0), Dynamic.UNKNOWN),
    ],
)
def test_each_dynamic_is_recognized(run, expected):
    assert expected is dynamic_of(run)


def test_training_and_validation_that_rise_together_to_the_top_are_progression():
    together = Run(train=ramp(100, 1000, 0.0, 1.0), mirror_free=ramp(200, 1100, 0.0, 1.0))
    assert Dynamic.PROGRESSION is dynamic_of(together)
    assert not censored(together)


def test_mirrors_in_training_do_not_make_a_memorizing_run_generalize():
    leaking = replace(memorizing(), validation=ramp(100, 500, 0.03, 0.6))
    assert Dynamic.UNGROKKING is dynamic_of(leaking)


def test_a_run_that_memorized_but_had_not_generalized_by_its_last_step_is_censored():
    assert censored(memorizing())
    assert censored(semi_grokking())
    assert not censored(grokking())
    assert not censored(NOT_RUN)


def test_the_steps_of_a_grokking_run_are_when_it_memorized_and_when_it_generalized():
    runs = classify(single(grokking(memorized=500, generalized=3000)))
    assert (500, 2100, 2900) == (
        runs["memorized_step"].item(),
        runs["generalizing_step"].item(),
        runs["generalized_step"].item(),
    )


def test_a_run_that_collapses_after_grokking_still_grokked():
    run = grokking()
    gone = STEPS >= 5000
    collapsed = replace(
        run,
        train=np.where(gone, 0.3, run.train),
        mirror_free=np.where(gone, 0.05, run.mirror_free),
    )
    assert Dynamic.GROKKING is dynamic_of(collapsed)
    assert classify(single(collapsed))["collapsed"].item()


def test_a_run_that_generalizes_in_part_and_then_only_memorizes_is_ungrokking():
    fallen = Run(
        train=ramp(100, 3000, 0.0, 1.0),
        mirror_free=np.interp(STEPS, [500, 1500, 3000], [0, 0.4, 0]),
    )
    assert Dynamic.UNGROKKING is dynamic_of(fallen)


def test_memorizing_and_generalizing_in_one_evaluation_is_not_grokking():
    at_once = np.where(STEPS >= 1000, 1.0, 0.0)
    assert Dynamic.PROGRESSION is dynamic_of(Run(train=at_once, mirror_free=at_once))


def test_labels_carry_cf_flags():
    attributes = classify(single(grokking()))["dynamic"].attrs
    names = attributes["flag_meanings"].split()
    values = attributes["flag_values"].tolist()
    assert {member.name.lower(): int(member) for member in Dynamic} == dict(
        zip(names, values, strict=True)
    )


@effort(max_examples=30)
@given(st.floats(0.2, 0.98), st.floats(0.0, 1.0), st.integers(200, 5800), st.integers(200, 5800))
def test_a_run_that_never_memorizes_shows_progression_or_nothing(
    train, validation, memorized, generalized
):
    run = Run(
        train=ramp(100, memorized, 0.0, train), mirror_free=ramp(100, generalized, 0, validation)
    )
    assert dynamic_of(run) in (Dynamic.NONE, Dynamic.PROGRESSION)


def with_ten_classes(validation: np.ndarray) -> Run:
    """A run that has memorized by step 500, of a task in which guessing gives 0.1."""
    return Run(train=ramp(100, 500, 0.1, 1.0), mirror_free=validation)


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        (ramp(1000, 2000, 0.1, 0.8), Dynamic.SEMI_GROKKING),
        (ramp(1000, 2000, 0.1, 1.0), Dynamic.GROKKING),
        (ramp(1000, 2000, 0.1, 0.15), Dynamic.UNGROKKING),
        (ramp(100, 300, 0.1, 0.8), Dynamic.PROGRESSION),
    ],
)
def test_above_chance_a_run_of_ten_classes_generalizes_when_it_leaves_chance(validation, expected):
    """From 0, each of these runs is progression, because guessing reaches 0.1 before any training."""
    run = with_ten_classes(validation)
    assert Dynamic.PROGRESSION is dynamic_of(run)
    assert expected is dynamic_of(run, above_chance=True)


def test_above_chance_a_run_has_generalized_at_nine_tenths_of_the_way_from_chance():
    nearly, fully = (with_ten_classes(ramp(1000, 2000, 0.1, end)) for end in (0.905, 0.915))
    assert Dynamic.SEMI_GROKKING is dynamic_of(nearly, above_chance=True)
    assert Dynamic.GROKKING is dynamic_of(fully, above_chance=True)


def test_the_chance_level_is_the_mean_accuracy_of_the_finished_untrained_models():
    start = {0: 0.05, 1: 0.1, 2: 0.18, 3: 0.9}
    status = {3: Status.DIVERGED}
    dataset = world(
        lambda size, _, seed: replace(
            with_ten_classes(ramp(1000, 2000, start[seed], 0.8)),
            status=status.get(seed, Status.DONE),
        ),
        seeds=(0, 1, 2, 3),
    )
    assert pytest.approx(0.11) == chance_level(dataset)


def test_without_untrained_models_there_is_no_chance_level():
    dataset = single(grokking())
    later = dataset.isel(step=slice(1, None))
    with pytest.raises(NotEnoughDataError, match="accuracy of untrained models"):
        classify(later, Thresholds(above_chance=True))
    assert Dynamic.GROKKING == classify(later)["dynamic"].item()


def test_declarations_without_the_option_stay_as_they_were():
    """Also of a detector whose options extend the thresholds."""
    for options in (Thresholds(), NormChangeOptions()):
        written = options.model_dump(mode="json", by_alias=True)
        assert set(type(options).model_fields) - set(written) == {"above_chance"}
    assert Thresholds(above_chance=True).model_dump()["above_chance"]
