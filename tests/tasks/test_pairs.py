"""Splits of the pairs below a modulus."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from grokbench.randomness import Streams
from grokbench.tasks import Mixture, ModularAddition, ModularSquare, RandomLabels, Task

moduli = st.integers(2, 13)
splits = st.sampled_from(["ordered", "unordered"])


@st.composite
def pair_tasks(draw: st.DrawFn) -> tuple[Task, int]:
    """A task over pairs, and a data size that it has."""
    modulus = draw(moduli)
    kind = draw(st.sampled_from([ModularAddition, ModularSquare, RandomLabels, Mixture]))
    options: dict[str, object] = {"modulus": modulus}
    if kind is not RandomLabels:
        options["split"] = draw(splits)
    if kind is Mixture:
        options["memorization_size"] = draw(st.integers(1, modulus**2))
    return kind.from_options(options), draw(st.integers(1, modulus**2))


@given(pair_tasks(), st.integers(0, 2**31))
def test_exactly_the_data_size_trains_and_nothing_both_trains_and_validates(
    drawn: tuple[Task, int], seed: int
) -> None:
    task, data_size = drawn
    examples = task.examples(data_size, Streams(seed))
    first_part = examples.part == 0
    assert data_size == int((examples.train & first_part).sum())
    assert not (examples.train & examples.validation).any()
    assert not (examples.mirror_free & ~examples.validation).any()


@given(pair_tasks(), st.integers(0, 2**31))
def test_examples_depend_on_the_seed_and_not_on_global_random_state(
    drawn: tuple[Task, int], seed: int
) -> None:
    task, data_size = drawn
    torch.manual_seed(1)
    once = task.examples(data_size, Streams(seed))
    torch.manual_seed(2)
    again = task.examples(data_size, Streams(seed))
    for name in vars(once):
        assert torch.equal(getattr(once, name), getattr(again, name))


@given(moduli, st.data())
def test_an_unordered_split_keeps_mirrors_together_so_that_all_validation_is_mirror_free(
    modulus: int, data: st.DataObject
) -> None:
    data_size = data.draw(st.integers(1, modulus**2))
    task = ModularAddition.from_options({"modulus": modulus, "split": "unordered"})
    examples = task.examples(data_size, Streams(data.draw(st.integers(0, 999))))
    square = examples.train.view(modulus, modulus)
    assert torch.equal(square, square.T)
    assert torch.equal(examples.validation, examples.mirror_free)


def test_under_an_ordered_split_a_mirror_free_pair_has_no_mirror_in_training() -> None:
    task = ModularAddition.from_options({"modulus": 31})
    examples = task.examples(350, Streams(0))
    trained = {(int(a), int(b)) for a, b, _ in examples.inputs[examples.train]}
    for (a, b, _), free in zip(
        examples.inputs[examples.validation].tolist(),
        examples.mirror_free[examples.validation].tolist(),
        strict=True,
    ):
        assert free == ((b, a) not in trained)
    share = 1 - int(examples.mirror_free.sum()) / int(examples.validation.sum())
    assert abs(share - 350 / 961) < 0.1


def test_answers_are_sums_squares_and_symmetric_random_labels() -> None:
    for kind, answer in ((ModularAddition, lambda s: s), (ModularSquare, lambda s: s * s)):
        examples = kind.from_options({"modulus": 11}).examples(60, Streams(3))
        a, b, equals = examples.inputs.T
        assert torch.equal(answer(a + b) % 11, examples.labels)
        assert (equals == 11).all()
    random = RandomLabels.from_options({"modulus": 11}).examples(121, Streams(3))
    table = random.labels.view(11, 11)
    assert torch.equal(table, table.T)
    assert len(table.unique()) > 5
    assert random.train.all()
    assert not random.validation.any()


def test_a_mixture_marks_its_parts_by_the_sign_and_never_shares_an_input() -> None:
    task = Mixture.from_options({"modulus": 7, "memorization_size": 20})
    examples = task.examples(30, Streams(0))
    assert [7, 8] == examples.inputs[:, 1].unique().tolist()
    assert torch.equal(examples.inputs[:, 1] == 8, examples.part == 1)
    assert len(examples.inputs) == len(examples.inputs.unique(dim=0))
    assert 20 == int((examples.train & (examples.part == 1)).sum())
    assert not (examples.validation & (examples.part == 1)).any()


def test_a_larger_data_size_only_adds_pairs() -> None:
    task = ModularAddition.from_options({"modulus": 13})
    small, large = (task.examples(size, Streams(5)).train for size in (40, 90))
    assert not (small & ~large).any()


def test_a_data_size_that_cannot_be_had_is_refused_with_what_can() -> None:
    task = ModularAddition.from_options({"modulus": 7})
    assert task.check(49) is None
    assert "1 to 49" in str(task.check(50))
    mixture = Mixture.from_options({"modulus": 7, "memorization_size": 50})
    assert "memorization_size" in str(mixture.check(10))
