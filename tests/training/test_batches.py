"""A recipe with a batch size is a plain loop over the same batches, however runs are trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from grokbench.architectures.factored import BLOCK_BYTES, FactoredTransformer
from grokbench.architectures.prefix import BLOCK_BYTES as PREFIX_BYTES
from grokbench.record import Choice, ModelSize, Run
from grokbench.training import train
from grokbench.training.batches import WINDOW, Batches, Epochs
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.execution import Execution
from grokbench.training.graphs import STRIDE
from grokbench.training.loop import train_to_end
from grokbench.training.programs import choose_program
from grokbench.training.stacked_modules import StackedModules
from tests.training.plain import in_a_plain_loop
from tests.training.small_runs import DIGITS, PLUGINS, STEADY, TEACHER, run, trained
from tests.training.stacks import stack_of

SEVEN = Choice("modular_addition", {"modulus": 7})
MIXED = Choice("mixture", {"modulus": 7, "memorization_size": 9})
MOMENTUM = Choice("sgd", {"momentum": 0.9})
DEEP = ModelSize(8, layers=2)
CASES = {
    "factored": (SEVEN, "dense", ModelSize(8), STEADY, 300),
    "factored by part": (MIXED, "split_ffn", ModelSize(8), STEADY, 60),
    "prefix": (SEVEN, "dense", DEEP, STEADY, 300),
    "prefix by part": (MIXED, "split_ffn", DEEP, MOMENTUM, 40),
    "stacked": (TEACHER, "perceptron", ModelSize(8), STEADY, 300),
    "stacked images": (DIGITS, "mlp", ModelSize(8), MOMENTUM, 60),
    "one by one": (SEVEN, "lstm", ModelSize(8), STEADY, 40),
    "one by one with batch norm": (TEACHER, "normalizing", ModelSize(8), MOMENTUM, 60),
}
SLOW = ("factored", "prefix", "prefix by part")
BATCH = 8


def runs_of(case: str, **changes: object) -> list[Run]:
    """Epochs of 3, 5 and 1 steps (more in a mixture). The last run has fewer examples than a batch."""
    task, architecture, size, optimizer, steps = CASES[case]
    faster = 10 if optimizer is MOMENTUM else 1
    recipe = {"steps": steps, "batch_size": BATCH, "precision": "float64", **changes}
    return [
        run(
            task, architecture, size, data, seed, optimizer=optimizer,
            learning_rate=faster * rate, weight_decay=decay, **recipe,
        )
        for seed, (data, rate, decay) in enumerate([(20, 5e-4, 1.0), (35, 1e-3, 0.1), (5, 5e-4, 0.0)])
    ]  # fmt: skip


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert (found - expected).norm() <= 1e-8 * expected.norm()


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case in SLOW)) for case in CASES]
)
def test_runs_end_where_a_plain_loop_ends_stacked_and_alone(case: str) -> None:
    runs = runs_of(case)
    expected = [in_a_plain_loop(one) for one in runs]
    for row, wanted in zip(trained(runs), expected, strict=True):
        assert_near(row, wanted)
    assert_near(trained(runs[1:2])[0], expected[1])


def test_a_run_has_the_same_batches_whatever_stands_beside_it() -> None:
    runs = runs_of("stacked", steps=20)
    whole = trained(runs)
    for order in ((2, 0), (1, 2, 0)):
        for row, place in zip(trained([runs[i] for i in order]), order, strict=True):
            assert_near(row, whole[place])


def test_a_batch_and_a_held_norm_go_together() -> None:
    runs = runs_of("stacked", steps=60, norm="initial")
    for row, one in zip(trained(runs), runs, strict=True):
        assert_near(row, in_a_plain_loop(one))


@pytest.mark.parametrize("case", ["factored", "prefix"])
def test_an_architectures_own_program_is_shown_batches_in_blocks(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 30 in one block, and in several: the same parameters."""
    runs = [
        replace(one, recipe=replace(one.recipe, batch_size=30)) for one in runs_of(case, steps=9)
    ]
    whole = trained(runs)
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 1)
    monkeypatch.setattr("grokbench.architectures.factored.SMALLEST_BLOCK", 7)
    monkeypatch.setitem(PREFIX_BYTES, "cpu", 10_000)
    blocks = trained(runs)
    for row, other in zip(whole, blocks, strict=True):
        assert_near(row, other)


def test_a_batch_of_all_examples_is_the_full_batch_but_for_the_order() -> None:
    some, full = (trained(runs_of("stacked", steps=30, batch_size=size)) for size in (1000, None))
    assert_near(some, full)


def test_evaluations_look_at_all_examples() -> None:
    runs = runs_of("stacked", steps=10)
    batches, full = (
        train([replace(one, recipe=replace(one.recipe, batch_size=size)) for one in runs], PLUGINS)
        for size in (BATCH, None)
    )
    for one, other in zip(batches, full, strict=True):
        assert one.examples == other.examples
        assert one.curves["train_loss"][0] == other.curves["train_loss"][0]
        assert one.run_id != other.run_id


def test_a_program_that_takes_no_batches_is_left_for_stacked_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, full = (stack_of(runs_of("factored", batch_size=size)) for size in (BATCH, None))
    assert isinstance(choose_program(stack), FactoredTransformer)
    monkeypatch.setattr(FactoredTransformer, "takes_batches", False)
    assert isinstance(choose_program(stack), StackedModules)
    assert isinstance(choose_program(full), FactoredTransformer)


@pytest.mark.parametrize(
    "case",
    ["factored", "factored by part", "prefix", "prefix by part", "stacked", "stacked images"],
)
def test_after_the_first_steps_a_step_reads_no_value_back_from_the_device(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a step that selects its batch can be captured in a CUDA graph."""
    training = CohortTraining(runs_of(case), PLUGINS, torch.device("cpu"))
    Execution(training).advance(1)
    Execution(training).advance(1)
    training.prepare(3)

    def refuse(tensor: Tensor, *arguments: object) -> None:
        raise AssertionError("a value was read back")

    with monkeypatch.context() as patch:
        for name in ("__int__", "__float__", "__bool__", "__index__", "item", "tolist", "nonzero"):
            patch.setattr(Tensor, name, refuse)
        for _ in range(3):
            training.step()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("case", ["factored", "prefix", "stacked"])
def test_a_compiled_program_is_shown_every_batch(case: str) -> None:
    runs = runs_of(case, steps=40)
    training = CohortTraining(runs, PLUGINS, torch.device("cpu"))
    training.compile()
    assert training.program.compiled
    assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
    for row, one in zip(training.parameters, runs, strict=True):
        assert_near(row, in_a_plain_loop(one))
    torch._dynamo.reset()


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 50), st.integers(0, 200))
def test_an_epoch_shows_each_example_once_and_the_last_batch_what_is_left(
    seed: int, examples: int, size: int, first: int
) -> None:
    epochs = Epochs(seed, examples, size)
    steps, width = 2 * epochs.length, epochs.size + 1
    start = first - first % epochs.length
    rows, sizes = torch.full((steps, width), -1), torch.full((steps,), -1)
    epochs.fill(start, rows, sizes)
    assert 0 <= int(rows.min()) <= int(rows.max()) < examples
    shown = [row[:count].tolist() for row, count in zip(rows, sizes.tolist(), strict=True)]
    for epoch in (shown[: epochs.length], shown[epochs.length :]):
        assert list(range(examples)) == sorted(i for batch in epoch for i in batch)
        assert all(len(batch) == min(size, examples) for batch in epoch[:-1])
    # From any step on, the same batches: nothing but the step and the seed decides.
    again, others = torch.full((steps, width), -1), torch.full((steps,), -1)
    Epochs(seed, examples, size).fill(first, again, others)
    at = first - start
    assert torch.equal(rows[at:], again[: steps - at])
    assert torch.equal(sizes[at:], others[: steps - at])


def test_a_window_of_batches_holds_a_captured_stride_and_is_filled_when_it_ends() -> None:
    assert STRIDE <= WINDOW
    runs = runs_of("stacked")
    batches = Batches(runs, [20, 35, 5], torch.zeros(1, dtype=torch.float64))
    taken = 0
    for steps in (1, STRIDE, 3, STRIDE, STRIDE):
        batches.prepare(taken, steps)
        for _ in range(steps):
            rows, weights = batches.next()
            for run_, (one, count) in enumerate(zip(runs, (20, 35, 5), strict=True)):
                wanted, sizes = torch.zeros(1, BATCH, dtype=torch.int64), torch.zeros(1)
                Epochs(one.seed, count, BATCH).fill(taken, wanted, sizes)
                assert wanted[0].tolist() == rows[run_].tolist()
                assert int(sizes) == int((weights[run_] > 0).sum())
                assert 1 == pytest.approx(float(weights[run_].sum()))
            taken += 1
