"""Stacked, factored and single training are one computation."""

from __future__ import annotations

import itertools

import pytest
import torch

from grokbench.architectures.factored import BLOCK_BYTES, FactoredTransformer
from grokbench.record import Choice, ModelSize, Run
from grokbench.training import train
from grokbench.training.programs import choose_program
from grokbench.training.single_modules import SingleModules
from grokbench.training.stacked_modules import StackedModules
from tests.training.small_runs import (
    ADDITION,
    DIGITS,
    DIGITS_SQUARED,
    MIXTURE,
    PLUGINS,
    STEADY,
    curves,
    plain_loop,
    run,
    trained,
)
from tests.training.stacks import gradient, stack_of, views

NORMED = Choice("dense", {"layer_norm": True})
WIDE = Choice("dense", {"heads": 2, "mlp_ratio": 3, "initialization": "torch"})
CASES = {
    "dense": (ADDITION, "dense", ModelSize(8)),
    "dense with a wide start": (ADDITION, WIDE, ModelSize(8)),
    "dense on a mixture": (MIXTURE, "dense", ModelSize(8)),
    "dense on random labels": (Choice("random_labels", {"modulus": 11}), "dense", ModelSize(8)),
    "dense with layer norm": (ADDITION, NORMED, ModelSize(8)),
    "dense with two layers": (ADDITION, "dense", ModelSize(8, layers=2)),
    "split_ffn": (MIXTURE, "split_ffn", ModelSize(8)),
    "split_ffn with two layers": (MIXTURE, "split_ffn", ModelSize(8, layers=2)),
    "mlp on images": (DIGITS_SQUARED, "mlp", ModelSize(12, layers=2)),
    "mlp on tokens": (ADDITION, Choice("mlp", {"bias": False}), ModelSize(8)),
    "cnn": (DIGITS, "cnn", ModelSize(3, layers=2)),
}
DIFFERENT = [(50, 0, 5e-4, 1.0), (33, 1, 2e-4, 0.1), (71, 2, 1e-3, 0.0), (50, 3, 5e-4, 1.0)]
"""Data size, seed, learning rate, weight decay: no two runs of a stack agree in all four."""


def runs_of(case: str, order: tuple[int, ...] = (0, 1, 2, 3), **recipe: object) -> list[Run]:
    task, architecture, size = CASES[case]
    return [
        run(
            task, architecture, size, data, seed,
            learning_rate=rate, weight_decay=decay, precision="float64", optimizer=STEADY, **recipe,
        )
        for data, seed, rate, decay in (DIFFERENT[i] for i in order)
    ]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_outputs_agree_to_1e_12_in_float64(case: str) -> None:
    stack = stack_of(runs_of(case))
    factored, stacked, single = (
        choose_program(stack),
        StackedModules.of(stack),
        SingleModules.of(stack),
    )
    simple = case in ("dense", "dense with a wide start", "dense on a mixture", "split_ffn")
    assert not simple or isinstance(factored, FactoredTransformer)
    for scale in (1.0, 3.0):
        stack.parameters.flat.mul_(scale)
        expected = gradient(stack, single)
        for program in (factored, stacked):
            difference = (gradient(stack, program) - expected).norm(dim=1)
            assert (difference <= 1e-12 * expected.norm(dim=1)).all()
            by_name = views(stack)
            real = stack.evaluation.weights > 0  # the outputs of padding are not looked at
            outputs = single.outputs(by_name)[real]
            found = program.outputs(by_name)[real]
            torch.testing.assert_close(found, outputs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_300_steps_end_where_a_plain_loop_ends_to_1e_8(case: str) -> None:
    order = (0, 2) if "two layers" in case or case == "cnn" else (0, 1, 2, 3)
    assert_ends_as_in_a_plain_loop(runs_of(case, order, steps=300))


@pytest.mark.parametrize("case", ["dense", "split_ffn", "dense with layer norm"])
def test_a_run_ends_where_it_does_alone_whatever_stands_beside_it(case: str) -> None:
    for order in ((3, 1, 0, 2), (2, 0), (1,)):
        assert_ends_as_in_a_plain_loop(runs_of(case, order, steps=40))


def assert_ends_as_in_a_plain_loop(runs: list[Run]) -> None:
    parameters = trained(runs)
    for row, one in zip(parameters, runs, strict=True):
        expected = plain_loop(one)
        assert (row - expected).norm() <= 1e-8 * expected.norm()


def test_examples_in_blocks_give_the_gradient_of_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = stack_of(runs_of("dense on a mixture"))
    expected = gradient(stack, choose_program(stack))
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 1)
    blocks = choose_program(stack)
    difference = (gradient(stack, blocks) - expected).norm()
    assert len(blocks.blocks["train"]) > 1
    assert difference <= 1e-13 * expected.norm()


def test_a_pair_whose_scores_lie_far_below_the_tables_largest_stays_finite() -> None:
    """A softmax that shared one maximum over the whole table would underflow to 0/0 here."""
    stack = stack_of(runs_of("dense with a wide start"))
    views(stack)["layers.0.query.weight"].mul_(300)
    expected = gradient(stack, SingleModules.of(stack))
    found = gradient(stack, choose_program(stack))
    assert found.isfinite().all()
    assert (found - expected).norm() <= 1e-10 * expected.norm()


def test_the_same_cohort_trained_twice_is_equal_to_the_bit() -> None:
    runs = [run(seed=seed, data_size=data) for seed, data in itertools.product((0, 1), (40, 60))]
    assert curves(train(runs, PLUGINS)) == curves(train(runs, PLUGINS))


def test_a_float32_step_is_the_float64_step_to_float32() -> None:
    """Teacher-forced: the same weights in both precisions, at the start and after training."""
    for steps in (0, 200):
        stack = stack_of(runs_of("dense"))
        if steps:
            runs = runs_of("dense", steps=steps)
            stack.parameters.flat.copy_(trained(runs))
        expected = gradient(stack, choose_program(stack))
        half = stack_of([run(*CASES["dense"], d, s, learning_rate=r, weight_decay=w)
                     for d, s, r, w in DIFFERENT])  # fmt: skip
        half.parameters.flat.copy_(stack.parameters.flat)
        difference = (gradient(half, choose_program(half)).double() - expected).norm(dim=1)
        assert (difference <= 1e-5 * expected.norm(dim=1)).all()
