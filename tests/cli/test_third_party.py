"""A third party's task in one file: it runs in a suite, is listed, and its broken twin harms nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import grokbench as package

Grokbench = Callable[..., Result]

TASK = '''
import torch

import grokbench


class Parity(grokbench.Task):
    """The parity of six bits, asked as six tokens and `=`."""

    name = "parity"

    @property
    def inputs(self):
        return grokbench.Tokens(vocabulary=3, length=7)

    @property
    def judgement(self):
        return grokbench.CrossEntropy(2)

    def check(self, data_size):
        return None if data_size < 64 else "write fewer than 64: the others validate"

    def examples(self, data_size, streams):
        bits = torch.cartesian_prod(*[torch.arange(2)] * 6)
        order = torch.randperm(64, generator=streams("split"))
        train = torch.zeros(64, dtype=torch.bool).index_fill(0, order[:data_size], True)
        inputs = torch.cat([bits, torch.full((64, 1), 2)], dim=1)
        part = torch.zeros(64, dtype=torch.int64)
        return grokbench.Examples(inputs, bits.sum(1) % 2, train, ~train, part, ~train)


@grokbench.hookimpl
def register_tasks(register):
    register(Parity)
'''

SUITE = """
[recipes.short]
optimizer = "adamw"
steps = 4
[experiments.bits]
task = "parity"
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [40]
seeds = 2
"""


@pytest.fixture
def parity(tmp_path: Path) -> Path:
    (tmp_path / "parity.py").write_text(TASK)
    (tmp_path / "bits.toml").write_text(SUITE)
    twin = TASK.replace('"parity"', '"twin"').replace("import torch", "import no_such_module")
    (tmp_path / "twin.py").write_text(twin)
    return tmp_path


def test_it_runs_in_a_suite_beside_its_broken_twin(grokbench: Grokbench, parity: Path) -> None:
    arguments = ("--plugin", parity / "parity.py", "--plugin", parity / "twin.py")
    out = parity / "out"
    result = grokbench("run", parity / "bits.toml", "--out", out, "--jobs", "1", *arguments)
    assert result.exit_code == 0, result.output
    bits = package.open_results(out)["bits"]
    assert (bits["status"] == 1).all()
    assert (40, 24) == (
        int(bits["train_examples"][0, 0, 0]),
        int(bits["validation_examples"][0, 0, 0]),
    )


def test_it_is_listed_with_its_origin_and_the_twin_with_its_error(
    grokbench: Grokbench, parity: Path
) -> None:
    arguments = ("--plugin", parity / "parity.py", "--plugin", parity / "twin.py", "--json")
    tasks = json.loads(grokbench("list", "tasks", *arguments).stdout)
    assert str(parity / "parity.py") in str(next(t for t in tasks if t["name"] == "parity"))
    assert {"modular_addition", "mixture"} <= {task["name"] for task in tasks}
    plugins = json.loads(grokbench("list", "plugins", *arguments).stdout)
    [twin] = [plugin for plugin in plugins if "twin" in plugin["name"]]
    assert "no_such_module" in twin["error"]


def test_a_suite_that_needs_the_broken_twin_fails_and_says_why(
    grokbench: Grokbench, parity: Path
) -> None:
    (parity / "bits.toml").write_text(SUITE.replace('"parity"', '"twin"'))
    result = grokbench("run", parity / "bits.toml", "--plugin", parity / "twin.py")
    assert result.exit_code == 2
    assert "no_such_module" in result.stderr


def test_a_suite_with_five_mistakes_gets_five_messages_and_makes_no_folder(
    grokbench: Grokbench, tmp_path: Path
) -> None:
    text = SUITE.replace("steps = 4", "steps = 0").replace('"adamw"', '"adamv"')
    text = text.replace("[4]", "[6]").replace("[40]", "[40, 40]").replace("seeds = 2", "seeds = 0")
    text = text.replace('"parity"', '"modular_addition"')
    (tmp_path / "wrong.toml").write_text(text)
    result = grokbench("run", tmp_path / "wrong.toml", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "5 mistakes" in result.stderr
    for place in ("optimizer", "steps", "model_sizes[0]", "data_sizes[1]", "seeds"):
        assert place in result.stderr
    assert not (tmp_path / "out").exists()
