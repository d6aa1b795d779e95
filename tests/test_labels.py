"""One rule says how the values of an axis are labelled, and which labels are the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.labels import labels_of, same_label, text_of
from grokbench.record import Choice, ModelSize


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((1e-3, 1), [1e-3, 1]),
        ((ModelSize(64), ModelSize(64, 2)), [64, "2x64"]),
        ((Choice("adamw"), Choice("sgd")), ["adamw", "sgd"]),
        (
            (Choice("adamw", {"beta2": 0.9}), Choice("adamw", {"beta2": 0.98})),
            ["adamw(beta2=0.9)", "adamw(beta2=0.98)"],
        ),
    ],
)
def test_an_axis_is_labelled_by_the_shortest_names_that_differ(
    values: tuple[Any, ...], labels: list[Any]
) -> None:
    assert labels == labels_of(values)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (64, "64", True),
        (64, "1x64", True),
        ("2x64", "2x64", True),
        (64, "2x64", False),
        (0.1, 0.2, False),
        (0.1 + 0.2, 0.3, True),
        ("adamw", "sgd", False),
    ],
)
def test_labels_are_the_same_however_they_are_spelled(one: Any, other: Any, same: bool) -> None:
    assert same is same_label(one, other) is same_label(other, one)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_different_whole_numbers_are_different_labels(one: int, other: int) -> None:
    assert (one == other) is same_label(one, other)
    assert not same_label(one, one + 1)


@given(st.integers(0, 2**53))
def test_a_whole_number_and_its_text_have_one_text(number: int) -> None:
    assert str(number) == text_of(number) == text_of(str(number)) == text_of(float(number))
