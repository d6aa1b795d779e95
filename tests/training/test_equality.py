"""Stacked, factored and single training are one computation."""

from __future__ import annotations

import itertools

import pytest
import torch

from grokbench.architectures.base import Program
from grokbench.architectures.factored import BLOCK_BYTES, FactoredTransformer
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Run
from grokbench.training import Setup, train
from grokbench.training.programs import ModuleProgram, choose_program
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch
from tests.training.worlds import (
    ADDITION,
    MIXTURE,
    PLUGINS,
    STEADY,
    curves,
    descended,
    plain_loop,
    run,
)

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
}
DIFFERENT = [(50, 0, 5e-4, 1.0), (33, 1, 2e-4, 0.1), (71, 2, 1e-3, 0.0), (50, 3, 5e-4, 1.0)]
"""Data size, seed, learning rate, weight decay: no two runs of a stack have them all alike."""


def stack_of(case: str, order: tuple[int, ...] = (0, 1, 2, 3), **recipe: object) -> list[Run]:
    task, architecture, size = CASES[case]
    return [
        run(
            task, architecture, size, data, seed,
            learning_rate=rate, weight_decay=decay, precision="float64", optimizer=STEADY, **recipe,
        )
        for data, seed, rate, decay in (DIFFERENT[i] for i in order)
    ]  # fmt: skip


class Laid:
    """A stack of runs, ready to be differentiated by any program."""

    def __init__(self, runs: list[Run]) -> None:
        self.made = Setup.of(runs[0], PLUGINS)
        self.models = [build_model(one, self.made.architecture, self.made.task) for one in runs]
        examples = [self.made.task.examples(one.data_size, Streams(one.seed)) for one in runs]
        self.stack = Parameters.of(self.models, torch.device("cpu"))
        self.train = training_batch(examples, self.stack.flat)
        self.evaluation = evaluation_batch(examples, self.stack.flat)
        self.runs = runs

    def chosen(self) -> Program:
        return choose_program(self.runs, self.models, self.made, self.train, self.evaluation)

    def plain(self, *, stacked: bool) -> Program:
        return ModuleProgram(
            self.models, self.made.architecture.takes_part, self.made.task.judgement,
            self.train, self.evaluation, stacked=stacked, noise=range(len(self.models)),
        )  # fmt: skip

    def gradient(self, program: Program) -> torch.Tensor:
        found = torch.empty_like(self.stack.flat)
        program.gradient(self.stack.views(self.stack.flat), self.stack.views(found))
        return found


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_outputs_agree_to_1e_12_in_float64(case: str) -> None:
    laid = Laid(stack_of(case))
    factored, stacked, single = laid.chosen(), laid.plain(stacked=True), laid.plain(stacked=False)
    simple = case in ("dense", "dense with a wide start", "dense on a mixture", "split_ffn")
    assert not simple or isinstance(factored, FactoredTransformer)
    for scale in (1.0, 3.0):
        laid.stack.flat.mul_(scale)
        expected = laid.gradient(single)
        for program in (factored, stacked):
            difference = (laid.gradient(program) - expected).norm(dim=1)
            assert (difference <= 1e-12 * expected.norm(dim=1)).all()
            by_name = laid.stack.views(laid.stack.flat)
            outputs = single.outputs(by_name)
            torch.testing.assert_close(program.outputs(by_name), outputs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_300_steps_end_where_a_plain_loop_ends_to_1e_8(case: str) -> None:
    order = (0, 2) if "two layers" in case else (0, 1, 2, 3)
    assert_ends_as_in_a_plain_loop(stack_of(case, order, steps=300))


@pytest.mark.parametrize("case", ["dense", "split_ffn", "dense with layer norm"])
def test_a_run_ends_where_it_does_alone_whatever_stands_beside_it(case: str) -> None:
    for order in ((3, 1, 0, 2), (2, 0), (1,)):
        assert_ends_as_in_a_plain_loop(stack_of(case, order, steps=40))


def assert_ends_as_in_a_plain_loop(runs: list[Run]) -> None:
    parameters = descended(runs)
    for row, one in zip(parameters, runs, strict=True):
        expected = plain_loop(one)
        assert (row - expected).norm() <= 1e-8 * expected.norm()


def test_examples_in_blocks_give_the_gradient_of_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    laid = Laid(stack_of("dense on a mixture"))
    expected = laid.gradient(laid.chosen())
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 1)
    blocks = laid.chosen()
    difference = (laid.gradient(blocks) - expected).norm()
    assert len(blocks.blocks["train"]) > 1
    assert difference <= 1e-13 * expected.norm()


def test_a_pair_whose_scores_lie_far_below_the_tables_largest_stays_finite() -> None:
    """A softmax that shared one maximum over the whole table would underflow to 0/0 here."""
    laid = Laid(stack_of("dense with a wide start"))
    views = laid.stack.views(laid.stack.flat)
    views["layers.0.query.weight"].mul_(300)
    expected = laid.gradient(laid.plain(stacked=False))
    found = laid.gradient(laid.chosen())
    assert found.isfinite().all()
    assert (found - expected).norm() <= 1e-10 * expected.norm()


def test_the_same_cohort_trained_twice_is_equal_to_the_bit() -> None:
    runs = [run(seed=seed, data_size=data) for seed, data in itertools.product((0, 1), (40, 60))]
    assert curves(train(runs, PLUGINS)) == curves(train(runs, PLUGINS))


def test_a_float32_step_is_the_float64_step_to_float32() -> None:
    """Teacher-forced: the same weights in both precisions, at the start and after training."""
    for steps in (0, 200):
        laid = Laid(stack_of("dense"))
        if steps:
            runs = stack_of("dense", steps=steps)
            laid.stack.flat.copy_(descended(runs))
        expected = laid.gradient(laid.chosen())
        half = Laid([run(*CASES["dense"], d, s, learning_rate=r, weight_decay=w)
                     for d, s, r, w in DIFFERENT])  # fmt: skip
        half.stack.flat.copy_(laid.stack.flat)
        difference = (half.gradient(half.chosen()).double() - expected).norm(dim=1)
        assert (difference <= 1e-5 * expected.norm(dim=1)).all()
