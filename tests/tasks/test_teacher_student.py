"""The task whose labels are a random network's outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from grokbench import OptionsError, SquaredError, Streams, run_suite
from grokbench.architectures.perceptron import ACTIVATIONS as OF_STUDENTS
from grokbench.tasks import TeacherStudent
from grokbench.tasks.teacher_student import ACTIVATIONS

SUITE = """
[experiments.scales]
task = { name = "teacher_student", validation_size = 20 }
architecture = { name = "mlp", activation = "tanh" }
recipe = { optimizer = "adamw", weight_decay = 0.0, initial_scale = [0.5, 10.0], steps = 60 }
model_sizes = ["2x16"]
data_sizes = [30]
seeds = 2
"""


def task(**options: object) -> TeacherStudent:
    return TeacherStudent.from_options(options)


def test_the_defaults_are_omnigroks() -> None:
    examples = task().examples(100, Streams(0))
    assert SquaredError(5, "mean_square", 1e-3) == task().judgement
    assert ((200, 5), (200, 5)) == (tuple(examples.inputs.shape), tuple(examples.labels.shape))
    assert (100, 100) == (int(examples.train.sum()), int(examples.validation.sum()))
    assert torch.equal(examples.validation, examples.mirror_free)


def test_inputs_are_standard_normal_and_labels_have_the_spread_of_torchs_initial_network() -> None:
    """Over many inputs and teachers: the mean square of a label, against networks of torch."""
    examples = [task(validation_size=1000).examples(1000, Streams(seed)) for seed in range(20)]
    inputs = torch.cat([one.inputs for one in examples])
    assert abs(float(inputs.mean())) < 0.02
    assert abs(float(inputs.var()) - 1) < 0.02
    torch.manual_seed(0)
    networks = [
        nn.Sequential(
            nn.Linear(5, 100), nn.Tanh(), nn.Linear(100, 100), nn.Tanh(), nn.Linear(100, 5)
        )
        for _ in range(60)
    ]
    with torch.no_grad():
        expected = torch.stack([one(inputs[:1000]).square().mean() for one in networks]).mean()
    found = torch.cat([one.labels for one in examples]).square().mean()
    assert pytest.approx(float(expected), rel=0.15) == float(found)


def test_a_larger_data_size_only_adds_examples_of_the_same_teacher() -> None:
    few, many = (task(input_size=3).examples(size, Streams(4)) for size in (7, 50))
    for name in ("inputs", "labels"):
        small, large = getattr(few, name), getattr(many, name)
        torch.testing.assert_close(small[:7], large[:7], rtol=0, atol=1e-6)
        torch.testing.assert_close(small[7:], large[50:], rtol=0, atol=1e-6)


def test_each_seed_has_a_teacher_of_its_own() -> None:
    """A teacher without hidden layers is a linear map, which least squares finds again."""
    maps = []
    for seed in (0, 1):
        examples = task(hidden_sizes=[]).examples(30, Streams(seed))
        ones = torch.ones(len(examples.inputs), 1)
        rows = torch.cat([examples.inputs, ones], 1).double()
        found = torch.linalg.lstsq(rows, examples.labels.double()).solution
        torch.testing.assert_close(rows @ found, examples.labels.double(), rtol=0, atol=1e-6)
        maps.append(found)
    assert float((maps[0] - maps[1]).abs().max()) > 0.1


def test_a_teacher_may_have_any_activation_of_the_students() -> None:
    assert set(OF_STUDENTS) == set(ACTIVATIONS)
    x = torch.linspace(-2, 2, 9)
    for name, function in ACTIVATIONS.items():
        assert torch.equal(OF_STUDENTS[name]()(x), function(x))


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_sizes": [0]},
        {"input_size": 0},
        {"activation": "sine"},
        {"tolerance": 0.0},
        {"tolerance": float("inf")},
        {"validation_size": 0},
    ],
)
def test_impossible_options_are_mistakes(options: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        task(**options)


def test_a_data_size_has_limits() -> None:
    assert task().check(1) is None
    assert "1 to 1000000 examples to train on, not 0" in str(task().check(0))
    assert task().check(2**40) is not None


def test_a_perceptron_learns_from_small_weights_sooner_than_from_large_ones(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE, encoding="utf-8")
    sitting = run_suite(file, tmp_path / "out", jobs=1)
    assert (4, 0) == (sitting.trained, sitting.failed)
    loss = sitting.tree["scales"]["validation_loss"].isel(step=-1).mean("seed").to_numpy().ravel()
    assert loss[0] * 10 < loss[1]
