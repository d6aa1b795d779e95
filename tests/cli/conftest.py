"""A small real suite, trained in a second, and the command line to run it with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grokbench.cli import cli

PLUGIN = '''
import grokbench


class FinalAccuracy(grokbench.Detector):
    """The mean validation accuracy at the last step."""

    name = "final_accuracy"

    def find(self, data):
        cells = data["experiment"].validation_accuracy.isel(step=-1)
        value = float(cells.mean())
        seeds = int(cells.notnull().any([name for name in cells.dims if name != "seed"]).sum())
        return grokbench.Finding(value, value, value, "validation accuracy", seeds, "seen [once]")


@grokbench.hookimpl
def register_detectors(register):
    register(FinalAccuracy)
'''

CRASHING = """
import grokbench
from grokbench.tasks.modular import ModularAddition


class Fragile(ModularAddition):
    name = "fragile"

    def examples(self, data_size, streams):
        if data_size == 15:
            raise ValueError("it breaks at fifteen")
        return super().examples(data_size, streams)


@grokbench.hookimpl
def register_tasks(register):
    register(Fragile)
"""

SUITE = """
title = "A suite for tests"
plugins = ["plugin.py"]

[recipes.short]
optimizer = "adamw"
steps = 4
evaluate_every = 2

[experiments.addition]
task = { name = "modular_addition", modulus = 5 }
architecture = "dense"
recipe = "short"
model_sizes = [4, 8]
data_sizes = [10, 15]
seeds = 2

[claims.hardly_anything]
statement = "Four steps teach next to nothing."
detector = "final_accuracy"
experiment = "addition"
rule = { at_most = 1.0 }
minimum_seeds = 2
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`small.toml`: one experiment of eight runs, and one claim; in the working folder.

    The reader of its results gives the plugin to the commands that read results.
    """
    monkeypatch.chdir(tmp_path)
    for command in ("SCORE", "CHECK", "REPORT", "COMPARE"):
        monkeypatch.setenv(f"GROKBENCH_{command}_PLUGIN", str(tmp_path / "plugin.py"))
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    path = tmp_path / "small.toml"
    path.write_text(SUITE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small suite was trained; copied, never changed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "small.toml").write_text(SUITE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(cli, ["run", "small.toml", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def results(suite: Path, trained_once: Path) -> Path:
    """The results folder of the small suite."""
    shutil.copytree(trained_once / "results", suite.with_name("results"))
    return Path("results/small")


@pytest.fixture
def grokbench() -> Callable[..., Result]:
    """`grokbench("run", path)` as in a shell."""

    def invoke(*arguments: object, **environment: str) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(cli, words, env=environment, prog_name="grokbench")

    return invoke
