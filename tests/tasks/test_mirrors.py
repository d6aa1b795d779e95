"""Runs are not trained on examples whose mirrors are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from grokbench import Examples, Features, SquaredError, Streams, Task, plan_suite, run_suite
from grokbench.tasks import BUILT_IN, Mixture, ModularAddition, ModularDivision
from grokbench.tasks.checks import check_examples

PLUGIN = '''
import torch
import grokbench
from grokbench.tasks import ModularAddition


class Quotient(ModularAddition):
    """a / b mod P, with mirrors marked as if it were a + b."""

    name = "quotient"

    def examples(self, data_size, streams):
        sums = super().examples(data_size, streams)
        a, b, _ = sums.inputs.T
        labels = a * b ** (self.options.modulus - 2) % self.options.modulus
        return grokbench.Examples(**{**vars(sums), "labels": labels})


@grokbench.hookimpl
def register_tasks(register):
    register(Quotient)
'''

SUITE = """
plugins = ["quotient.py"]

[experiments.quotients]
task = { name = "quotient", modulus = 13 }
architecture = "dense"
recipe = { optimizer = "adamw", steps = 2 }
model_sizes = [8]
data_sizes = [80]
seeds = 1
"""


def test_a_plan_and_a_run_refuse_false_mirrors_and_say_what_a_mirror_is(tmp_path: Path) -> None:
    (tmp_path / "quotient.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "suite.toml").write_text(SUITE, encoding="utf-8")
    (note,) = plan_suite(tmp_path / "suite.toml", tmp_path / "out", measure=False).notes
    assert "cannot be trained, and runs will fail" in note
    assert "have another label than their mirror in training" in note
    sitting = run_suite(tmp_path / "suite.toml", tmp_path / "out", jobs=1)
    assert (1, 1) == (sitting.trained, sitting.failed)
    message = str(sitting.tree["quotients"]["message"].item())
    assert "have another label than their mirror in training" in message
    assert "write mirror_free=~train where the order matters" in message


@pytest.mark.parametrize(
    "kind",
    [kind for kind in BUILT_IN if "modulus" in kind.Options.model_fields],
    ids=lambda kind: kind.name,
)
def test_the_mirrors_of_built_in_tasks_are_mirrors(kind: type[Task]) -> None:
    memorized = {"memorization_size": 40} if kind is Mixture else {}
    task = kind.from_options({"modulus": 13, **memorized})
    for size in (1, 60, 150):
        check_examples(task.examples(size, Streams(size)), task, size)


def test_an_operation_that_only_changes_the_answer_has_the_mirrors_of_the_answer() -> None:
    """As a task that is written after the README's product does."""

    class Written(ModularAddition):
        name = "written"

        def answer(self, a, b):  # type: ignore[no-untyped-def]
            return a * b ** (self.options.modulus - 2) % self.options.modulus

        def asks(self, a, b):  # type: ignore[no-untyped-def]
            return b != 0

    ours, built_in = (
        kind.from_options({"modulus": 11}).examples(60, Streams(3))
        for kind in (Written, ModularDivision)
    )
    for name, values in vars(built_in).items():
        assert torch.equal(values, getattr(ours, name)), name


class Opposite(Task):
    """Vectors whose mirror is their opposite; `sign` is what the mirror does to the label."""

    name = "opposite"
    inputs = Features(3)
    judgement = SquaredError(2, correct_by="tolerance")
    sign = 1.0

    def check(self, data_size: int) -> str | None:
        return None

    def mirror(self, inputs: torch.Tensor) -> torch.Tensor:
        return -inputs

    def examples(self, data_size: int, streams: Streams) -> Examples:
        half = torch.randn(40, 3, generator=streams("inputs"))
        inputs, labels = torch.cat([half, -half]), half.square()[:, :2]
        labels = torch.cat([labels, self.sign * labels])
        train = torch.zeros(80, dtype=torch.bool)
        train[torch.randperm(80, generator=streams("split"))[:data_size]] = True
        part = torch.zeros(80, dtype=torch.int64)
        return Examples(inputs, labels, train, ~train, part, ~train & ~train.roll(40))


def test_mirrors_of_vectors_are_checked_by_the_tasks_own_word() -> None:
    task = Opposite()
    check_examples(task.examples(50, Streams(0)), task, 50)
    task.sign = -1.0
    with pytest.raises(ValueError, match="80 examples have another label than what mirror"):
        check_examples(task.examples(50, Streams(0)), task, 50)
