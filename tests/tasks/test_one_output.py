"""A linear network on 3-parity, with one output: it cannot learn, and its accuracy says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokbench import SuiteError, load_suite
from grokbench.record import Choice, ModelSize, Recipe, Run, Status
from grokbench.training import train

PLUGIN = """
import torch
from torch import nn

import grokbench
from grokbench import Architecture, Examples, Features, SquaredError, Task


class Parity(Task):
    name = "parity"
    inputs = Features(3)

    @property
    def judgement(self):
        return SquaredError(1{how})

    def check(self, data_size):
        return None if data_size == 8 else "write 8"

    def examples(self, data_size, streams):
        bits = torch.tensor([[1.0 - 2 * (n >> i & 1) for i in range(3)] for n in range(8)])
        train = torch.ones(8, dtype=torch.bool)
        part = torch.zeros(8, dtype=torch.int64)
        return Examples(bits, bits.prod(1, keepdim=True), train, ~train, part, ~train)


class Linear(Architecture):
    name = "linear"

    def build(self, size, task):
        return nn.Linear(3, 1)


@grokbench.hookimpl
def register_tasks(register):
    register(Parity)


@grokbench.hookimpl
def register_architectures(register):
    register(Linear)
"""

SUITE = """
plugins = ["parity.py"]

[experiments.parity]
task = "parity"
architecture = "linear"
recipe = { optimizer = "adamw", steps = 5 }
model_sizes = [1]
data_sizes = [8]
seeds = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite.toml").write_text(SUITE, encoding="utf-8")
    return tmp_path


def test_a_suite_whose_task_would_always_be_right_is_rejected(folder: Path) -> None:
    (folder / "parity.py").write_text(PLUGIN.replace("{how}", ""), encoding="utf-8")
    with pytest.raises(SuiteError, match=r"write SquaredError\(1, correct_by='sign'\)") as caught:
        load_suite(folder / "suite.toml")
    assert "experiments.parity.task" in str(caught.value)


def test_judged_by_sign_a_network_that_cannot_learn_is_not_right(folder: Path) -> None:
    """The best linear answer is zero for all inputs, with the loss 1. No linear function has the
    sign of the parity of more than 6 of the 8 inputs."""
    (folder / "parity.py").write_text(PLUGIN.replace("{how}", ', "sign"'), encoding="utf-8")
    plugins = load_suite(folder / "suite.toml").plugins
    recipe = Recipe(
        Choice("adamw"), learning_rate=1e-2, weight_decay=0.0, steps=400, evaluate_every=400
    )
    run = Run(Choice("parity"), Choice("linear"), ModelSize(1), 8, 0, recipe)
    [record] = train([run], plugins)
    assert Status.DONE is record.status
    assert record.curves["train_loss"][-1, 0] == pytest.approx(1.0, abs=0.05)
    assert record.curves["train_accuracy"][-1, 0] <= 0.75
