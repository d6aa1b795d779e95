"""How many different labels a number of training pairs has."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.theory.mirrors import Pairs, pairs_of
from tests.phenomena.worlds import ending_at, memorizing_random_labels, world


@pytest.mark.parametrize("drawn", range(10))
def test_the_expected_number_of_labels_is_the_mean_over_all_draws(drawn):
    """Of all ways to draw some of the 9 ordered pairs of three numbers."""
    pairs = list(itertools.product(range(3), repeat=2))
    counts = [
        len({frozenset(pair) for pair in draw}) for draw in itertools.combinations(pairs, drawn)
    ]
    assert pytest.approx(np.mean(counts)) == Pairs(3).labels(np.array(drawn)).item()


def test_all_pairs_have_a_label_for_each_unordered_pair():
    for split in ("ordered", "unordered"):
        assert pytest.approx(31 * 32 / 2) == Pairs(31, split).labels(np.array(961)).item()


@given(
    st.sampled_from([Pairs(None), Pairs(31), Pairs(31, "unordered"), Pairs(113)]),
    st.floats(0, 1),
)
def test_examples_are_the_inverse_of_labels(pairs, share):
    examples = np.array(share * (pairs.modulus or 31) ** 2)
    assert pytest.approx(examples, abs=1e-6) == pairs.examples(pairs.labels(examples)).item()


def test_twice_as_many_labels_as_there_are_take_twice_all_examples():
    for split in ("ordered", "unordered"):
        assert pytest.approx(2 * 961) == Pairs(31, split).examples(np.array(31 * 32.0)).item()


def random_labels(examples: int, task="{}"):
    runs = world(lambda *_: memorizing_random_labels(0.5), data_sizes=(examples,))
    return runs.assign_attrs(task=task)


def target(task="{}", mirror_free=100):
    """Runs with 500 validation examples; the mirrors of those that are not mirror-free train."""
    runs = world(lambda *_: replace(ending_at(1.0), mirror_free_examples=mirror_free))
    return runs.assign_attrs(task=task)


def test_the_modulus_is_the_root_of_the_number_of_random_labels():
    assert (Pairs(31), Pairs(31)) == pairs_of(random_labels(961), target())
    assert (Pairs(None), Pairs(None)) == pairs_of(random_labels(960), target())


def test_a_modulus_that_a_task_was_given_counts_first():
    given = target('{"options": {"modulus": 29, "split": "unordered"}}')
    assert (Pairs(29), Pairs(29, "unordered")) == pairs_of(random_labels(961), given)


def test_a_target_all_of_whose_validation_examples_are_mirror_free_has_no_mirrors():
    assert (Pairs(31), Pairs(None)) == pairs_of(random_labels(961), target(mirror_free=500))


def test_a_target_few_of_whose_pairs_have_a_mirror_is_no_commutative_one():
    """12 of 500 validation pairs have their mirror in training: those with a / b = b / a."""
    assert (Pairs(31), Pairs(None)) == pairs_of(random_labels(961), target(mirror_free=488))
    assert (Pairs(31), Pairs(31)) == pairs_of(random_labels(961), target(mirror_free=250))
