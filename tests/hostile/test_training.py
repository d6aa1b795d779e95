"""Definitions that misbehave in training fail their own runs, and change no other run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import grokbench
from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status
from grokbench.store import records_in
from grokbench.switches import process_state
from grokbench.training.loop import train
from tests.hostile.room import ROOM, in_a_fresh_process, invoke

ADDITION = Choice("modular_addition", {"modulus": 5})
DENSE, SGD = Choice("dense"), Choice("sgd")


def run(
    task: Choice = ADDITION,
    architecture: Choice = DENSE,
    optimizer: Choice = SGD,
    measures: Sequence[Choice] = (),
) -> Run:
    recipe = Recipe(optimizer, steps=6, evaluate_every=2, learning_rate=0.1)
    return Run(task, architecture, ModelSize(4), 10, 0, recipe, tuple(measures))


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load([ROOM / "raises.py", ROOM / "unsettles.py"])


def raising(where: str, how: str) -> Choice:
    return Choice("raises", {"where": where, "how": how})


PLACES = {
    "examples": lambda one: run(task=Choice("raises", {"modulus": 5, **one.options})),
    "parts": lambda one: run(task=Choice("raises", {"modulus": 5, **one.options})),
    "build": lambda one: run(architecture=one),
    "forward": lambda one: run(architecture=one),
    "start": lambda one: run(optimizer=one),
    "step": lambda one: run(optimizer=one),
    "measure": lambda one: run(measures=[one]),
}


@pytest.mark.parametrize(
    ("how", "error"),
    [("exit", "SystemExit: 0"), ("interrupt", "KeyboardInterrupt"), ("mute", "MuteError")],
)
@pytest.mark.parametrize("where", PLACES)
def test_whatever_is_raised_in_training_fails_the_run(
    plugins: Plugins, where: str, how: str, error: str
) -> None:
    (record,) = train([PLACES[where](raising(where, how))], plugins)
    assert Status.FAILED is record.status
    assert record.message.startswith(f"{error} (raises.py, line ")


def test_ctrl_c_ends_training_even_where_a_plugin_swallows_it(plugins: Plugins) -> None:
    with pytest.raises(KeyboardInterrupt):
        train([run(optimizer=raising("step", "ctrl-c"))], plugins)


def curves(record: Record) -> dict[str, bytes]:
    return {
        name: curve.tobytes()
        for name, curve in record.curves.items()
        if not name.startswith("unsettling")
    }


def test_a_measure_that_changes_the_process_changes_no_run(plugins: Plugins) -> None:
    """Neither its own run, nor one that is trained later; nor what another measure is shown."""
    (alone,) = train([run()], plugins)
    before = process_state()
    (own,) = train([run(measures=[Choice("unsettling")])], plugins)
    assert before == process_state()
    (later,) = train([run()], plugins)
    assert Status.DONE is own.status, own.message
    assert curves(alone) == curves(own)
    assert curves(alone) == curves(later)


SUITE = """
plugins = ["raises.py"]

[recipes.short]
optimizer = "sgd"
learning_rate = 0.1
steps = 2

[experiments.innocent]
task = { name = "modular_addition", modulus = 5 }
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [10]
seeds = 2
"""

HOSTILE = """
[experiments.{how}]
task = {{ name = "modular_addition", modulus = 5 }}
architecture = {{ name = "raises", where = "forward", how = "{how}" }}
recipe = "short"
model_sizes = [4]
data_sizes = [10]
seeds = 1
"""


FORKING = {
    "build": ("architecture", '"dense"', '{ name = "forks" }'),
    "step": ("optimizer", '"sgd"', '{ name = "forks" }'),
}


@pytest.mark.parametrize("where", FORKING)
def test_a_child_that_is_forked_in_training_ends_and_all_runs_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    field, usual, forking = FORKING[where]
    text = SUITE.replace(f"{field} = {usual}", f"{field} = {forking}")
    Path("suite.toml").write_text(text.replace("raises.py", "forks.py"), encoding="utf-8")
    Path("forks.py").write_bytes((ROOM / "forks.py").read_bytes())
    done = in_a_fresh_process("run", "suite.toml", "--jobs", 1)
    assert 0 == done.returncode, done.stderr
    assert 1 == done.stdout.count("Results: results/suite"), done.stdout
    found = records_in(grokbench.open_results("results/suite")).values()
    assert [(Status.DONE, "")] * 2 == [(one.status, one.message) for one in found]


@pytest.mark.slow
def test_a_worker_that_ends_itself_is_told_and_the_other_runs_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SUITE + HOSTILE.format(how="leave") + HOSTILE.format(how="exit")
    Path("suite.toml").write_text(text, encoding="utf-8")
    Path("raises.py").write_bytes((ROOM / "raises.py").read_bytes())
    result = invoke("run", "suite.toml", "--jobs", 1)
    assert 4 == result.exit_code, result.output
    assert "raises 4" in result.output
    tree = grokbench.open_results("results/suite")
    found = {record.status for record in records_in(tree).values()}
    assert {Status.DONE, Status.FAILED} == found
    (failed,) = (one for one in records_in(tree).values() if one.status is Status.FAILED)
    assert "SystemExit: 0 (raises.py, line " in failed.message
    assert [] == json.loads(Path("results/suite/verdicts.json").read_text())["claims"]
