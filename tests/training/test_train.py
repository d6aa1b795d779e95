"""The records that training gives, whatever a plugin does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grokbench.record import Choice, Status
from grokbench.schema import METRICS
from grokbench.training import train
from tests.training.small_runs import (
    ADDITION,
    MIXTURE,
    PLUGINS,
    STEADY,
    TEACHER,
    curves,
    plain_loop,
    run,
    trained,
)

SGD = Choice("sgd")


def test_a_record_holds_every_metric_at_every_evaluation_for_every_part() -> None:
    one = run(MIXTURE, steps=50, evaluate_every=20)
    [record] = train([one], PLUGINS)
    assert one.id == record.run_id
    assert Status.DONE is record.status
    assert ("addition", "subtraction") == record.parts
    assert [0, 1, 2, 4, 8, 16, 20, 40, 50] == record.steps.tolist()
    for name in METRICS:
        assert (9, 2) == record.curves[name].shape
    assert (9,) == record.curves["parameter_norm"].shape
    assert np.isnan(record.curves["validation_loss"][:, 1]).all()
    assert not np.isnan(record.curves["train_loss"]).any()
    assert {"train": (50, 40), "validation": (71, 0)}.items() <= record.examples.items()


def test_metrics_are_means_over_the_right_examples() -> None:
    """An untrained model answers one in P correctly; a trained one, its training examples."""
    [record] = train([run(steps=600, learning_rate=1e-2, weight_decay=0.0, size=16)], PLUGINS)
    first, last = 0, -1
    assert record.curves["train_accuracy"][first, 0] < 0.4
    assert 1.0 == record.curves["train_accuracy"][last, 0]
    assert record.curves["train_loss"][last, 0] < 0.01
    assert record.curves["validation_loss"][last, 0] > 1
    share = record.examples["mirror_free"][0] / record.examples["validation"][0]
    assert 0.3 < share < 0.9


def test_the_parameter_norm_is_that_of_all_parameters_and_scales_with_the_initial_scale() -> None:
    [one] = train([run(steps=1)], PLUGINS)
    [double] = train([run(steps=1, initial_scale=2.0)], PLUGINS)
    norms = [record.curves["parameter_norm"][0] for record in (one, double)]
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-6)


def test_weight_decay_on_matrices_leaves_biases_alone() -> None:
    """Gradients are small, so parameters that are not decayed keep their norm."""
    decays = {
        on: train(
            [run(steps=60, optimizer=SGD, learning_rate=1e-2, weight_decay=5.0, decay_on=on,
                 architecture=Choice("dense", {"layer_norm": True}), warmup_steps=0)],
            PLUGINS,
        )[0].curves["parameter_norm"][-1]
        for on in ("all", "matrices")
    }  # fmt: skip
    assert decays["matrices"] > decays["all"] + 0.5


def test_a_run_that_diverges_is_stored_as_such_and_the_others_go_on() -> None:
    calm, wild = (run(optimizer=SGD, learning_rate=rate, seed=1) for rate in (1e-2, 1e9))
    alone = train([calm], PLUGINS)
    records = train([wild, calm], PLUGINS)
    assert [Status.DIVERGED, Status.DONE] == [record.status for record in records]
    assert "step" in records[0].message
    assert np.isnan(records[0].curves["train_loss"][-1]).all()
    assert np.isfinite(records[0].curves["train_loss"][0]).all()
    np.testing.assert_allclose(
        alone[0].curves["train_loss"], records[1].curves["train_loss"], rtol=1e-5
    )


def test_a_run_whose_task_raises_is_stored_as_failed_and_the_others_go_on() -> None:
    task = Choice("unlucky")
    runs = [run(task, "perceptron", seed=seed) for seed in (0, 1, 2)]
    records = train(runs, PLUGINS)
    assert [one.id for one in runs] == [record.run_id for record in records]
    assert [Status.DONE, Status.FAILED, Status.DONE] == [record.status for record in records]
    assert "ValueError: seed 1 is unlucky (odd_plugin.py, line 50)" == records[1].message


@pytest.mark.parametrize("architecture", ["perceptron", "normalizing"])
def test_vectors_judged_by_squared_error_train_in_a_stack(architecture: str) -> None:
    runs = [
        run(TEACHER, architecture, 16, 60, seed, steps=400, learning_rate=1e-2, weight_decay=0.0)
        for seed in (0, 1)
    ]
    for record in train(runs, PLUGINS):
        assert Status.DONE is record.status
        assert record.curves["validation_loss"][-1] < 0.1 * record.curves["validation_loss"][0]


@pytest.mark.parametrize("architecture", ["lstm", "padded", "dropping", "looking"])
def test_what_cannot_be_stacked_is_trained_as_if_alone(architecture: str) -> None:
    runs = [run(ADDITION, architecture, seed=seed, precision="float64") for seed in (0, 1, 2)]
    together = train(runs, PLUGINS)
    torch.manual_seed(123)
    alone = [record for one in runs for record in train([one], PLUGINS)]
    assert all(record.status is Status.DONE for record in together)
    assert curves(alone) == curves(together)


def test_a_module_that_draws_from_numpy_is_refused_rather_than_trained_once_only() -> None:
    [record] = train([run(ADDITION, "numpyish")], PLUGINS)
    assert Status.FAILED is record.status
    assert "draws from numpy's global random generator" in record.message
    assert "draw with torch" in record.message


def test_a_module_whose_parameters_are_complex_is_refused() -> None:
    [record] = train([run(ADDITION, "complex")], PLUGINS)
    assert Status.FAILED is record.status
    assert "the parameter phase is torch.complex64; only real parameters" in record.message


@pytest.mark.parametrize("architecture", ["tied", "frozen", "remembering", "variant", "counting"])
def test_an_unusual_module_ends_where_a_plain_loop_ends(architecture: str) -> None:
    runs = [
        run(
            ADDITION, architecture, seed=seed, data_size=data, precision="float64", optimizer=STEADY
        )
        for seed, data in ((0, 50), (1, 30), (2, 50))
    ]
    parameters = trained(runs)
    for row, one in zip(parameters, runs, strict=True):
        expected = plain_loop(one)
        assert (row - expected).norm() <= 1e-8 * expected.norm()


def test_a_module_that_mixes_examples_never_sees_another_runs_padding() -> None:
    runs = [
        run(TEACHER, "normalizing", seed=seed, data_size=data, optimizer=SGD, precision="float64")
        for seed, data in ((0, 60), (1, 10))
    ]
    alone = [record for one in runs for record in train([one], PLUGINS)]
    for one, other in zip(alone, train(runs, PLUGINS), strict=True):
        np.testing.assert_allclose(one.curves["train_loss"], other.curves["train_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("task", "architecture", "words"),
    [(Choice("leaking"), "perceptron", "train and validate"), (TEACHER, "wide", "write [49, 2]")],
)
def test_a_task_or_architecture_that_breaks_its_contract_is_a_failure_that_says_how(
    task: Choice, architecture: str, words: str
) -> None:
    [record] = train([run(task, architecture)], PLUGINS)
    assert Status.FAILED is record.status
    assert words in record.message


def test_training_leaves_global_random_state_and_threads_as_they_were() -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train([run(ADDITION, "dropping")], PLUGINS)
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()
