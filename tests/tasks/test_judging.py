"""Losses, their gradients, and what counts as correct."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from grokbench.tasks import CrossEntropy, Judgement, SquaredError


@given(st.integers(0, 10_000), st.floats(0.01, 60), st.integers(2, 20))
def test_cross_entropy_and_its_gradient_are_autograds(
    seed: int, scale: float, classes: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(3, 8, classes, generator=generator, dtype=torch.float64) * scale
    labels = torch.randint(classes, (3, 8), generator=generator)
    weights = torch.rand(3, 8, generator=generator, dtype=torch.float64)
    leaf = outputs.clone().requires_grad_()
    loss = functional.cross_entropy(leaf.flatten(0, 1), labels.flatten(), reduction="none")
    (loss * weights.flatten()).sum().backward()
    judge = CrossEntropy(classes)
    torch.testing.assert_close(judge.loss(outputs, labels).flatten(), loss, rtol=1e-9, atol=1e-12)
    gradient = judge.gradient(outputs.clone(), labels, weights)
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-9, atol=1e-12)


def test_in_float32_a_learned_example_keeps_its_tiny_loss_and_gradient() -> None:
    """float32's log_softmax rounds this loss to zero, and its gradient with it."""
    outputs = torch.zeros(1, 113)
    outputs[0, 7] = 25.0
    labels, weights = torch.tensor([7]), torch.ones(1)
    expected = float(torch.log1p(112 * torch.tensor(-25.0, dtype=torch.float64).exp()))
    assert 0 == float(functional.cross_entropy(outputs, labels))
    judge = CrossEntropy(113)
    assert abs(float(judge.loss(outputs, labels)) / expected - 1) < 1e-5
    gradient = judge.gradient(outputs.clone(), labels, weights)
    assert abs(float(gradient[0, 7]) / -expected - 1) < 1e-5


@given(st.integers(0, 10_000), st.floats(0.1, 200))
def test_in_float32_the_gradient_of_each_example_sums_to_zero(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(16, 31, generator=generator) * scale
    labels = torch.randint(31, (16,), generator=generator)
    gradient = CrossEntropy(31).gradient(outputs, labels, torch.ones(16))
    others = gradient.clamp(min=0).double().sum(-1)
    assert (gradient.double().sum(-1).abs() <= 4e-7 * others).all()


def test_squared_error_is_the_mean_over_outputs_and_its_gradient_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    labels = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 5, generator=generator, dtype=torch.float64)
    leaf = outputs.clone().requires_grad_()
    (functional.mse_loss(leaf, labels, reduction="none").mean(-1) * weights).sum().backward()
    judge = SquaredError(3)
    torch.testing.assert_close(judge.gradient(outputs.clone(), labels, weights), leaf.grad)
    assert torch.equal((outputs - labels).square().mean(-1), judge.loss(outputs, labels))


def test_squared_error_judges_by_the_largest_output_or_by_a_tolerance() -> None:
    labels = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    outputs = torch.tensor([[0.2, 0.3], [0.0, 0.9]])
    assert [True, False] == SquaredError(2).correct(outputs, labels).tolist()
    strict = SquaredError(2, correct_by="tolerance", tolerance=0.75)
    assert [True, False] == strict.correct(outputs, labels).tolist()


def test_squared_error_judges_by_the_mean_square_over_outputs_below_a_tolerance() -> None:
    labels = torch.zeros(3, 2)
    outputs = torch.tensor([[0.1, 0.1], [0.0, 0.3], [0.0, 0.19]])
    judge = SquaredError(2, correct_by="mean_square", tolerance=0.02)
    assert [True, False, True] == judge.correct(outputs, labels).tolist()
    at_the_limit = SquaredError(1, correct_by="mean_square", tolerance=0.25)
    assert not at_the_limit.correct(torch.tensor([[0.5]]), torch.tensor([[0.0]]))


def test_squared_error_judges_one_output_by_its_sign() -> None:
    labels = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    outputs = torch.tensor([[0.2], [-0.3], [0.0], [-9.0]])
    assert [True, False, False, True] == SquaredError(1, "sign").correct(outputs, labels).tolist()
    both = torch.tensor([[0.1, -0.1], [0.1, 0.1]])
    wanted = torch.tensor([[1.0, -1.0], [1.0, -1.0]])
    assert [True, False] == SquaredError(2, "sign").correct(both, wanted).tolist()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SquaredError(1), "write SquaredError(1, correct_by='sign')"),
        (lambda: SquaredError(1, "argmax"), "would count every answer as correct"),
        (lambda: CrossEntropy(1), "would count every answer as correct; write at least 2 classes"),
        (lambda: SquaredError(1, "tolerance", 0.0), "the tolerance is 0.0; write a finite number"),
        (lambda: SquaredError(1, "tolerance", -0.1), "the tolerance is -0.1"),
        (lambda: SquaredError(1, "tolerance", torch.inf), "the tolerance is inf"),
        (lambda: SquaredError(1, "tolerance", torch.nan), "the tolerance is nan"),
        (lambda: SquaredError(2, "mean_square", 0.0), "does not reach"),
        (lambda: SquaredError(2, "nearest"), "write one of argmax, sign, tolerance, mean_square"),  # type: ignore[arg-type]
    ],
)
def test_a_judgement_whose_accuracy_says_nothing_is_an_error(
    make: Callable[[], Judgement], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_labels_that_cannot_be_judged_are_refused() -> None:
    assert "no sign" in str(SquaredError(1, "sign").refuses(torch.tensor([[0.0], [1.0]])))
    assert "1 examples have several" in str(
        SquaredError(2).refuses(torch.tensor([[1.0, 1], [0, 1]]))
    )
    assert SquaredError(1, "sign").refuses(torch.tensor([[-1.0], [1.0]])) is None
    assert SquaredError(2).refuses(torch.tensor([[0.0, 1.0]])) is None
    assert SquaredError(1, "tolerance").refuses(torch.zeros(2, 1)) is None
    assert CrossEntropy(2).refuses(torch.tensor([0, 1])) is None
