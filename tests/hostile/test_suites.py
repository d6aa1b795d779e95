"""Definitions that misbehave while a suite is read are named, with the exit code of a mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from grokbench.testing.conformance import plugins
from grokbench.testing.conformance.another_process import Import
from tests.hostile.room import ROOM, invoke

SUITE = """
[experiments.addition]
task = {{ name = "{task}"{of_task} }}
architecture = {{ name = "{architecture}"{of_architecture} }}
measures = [{{ name = "raises"{of_measure} }}]
recipe = {{ optimizer = {{ name = "{optimizer}"{of_optimizer} }}, learning_rate = 0.1, steps = 2 }}
model_sizes = [4]
data_sizes = [10]
seeds = 2

[claims.one]
statement = "Something is seen."
detector = {{ name = "raises"{of_detector} }}
experiment = "addition"
rule = {{ at_most = 0.9 }}
minimum_seeds = 2
"""

KINDS = ("task", "architecture", "optimizer", "measure", "detector")

Grokbench = Callable[..., Result]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grokbench:
    """A command with a suite of which one definition misbehaves at one place."""
    monkeypatch.chdir(tmp_path)

    def told(command: str, kind: str, where: str, how: str, *more: str) -> Result:
        chosen = {f"of_{one}": "" for one in KINDS}
        chosen[f"of_{kind}"] = f', where = "{where}", how = "{how}"'
        names = {"task": "raises", "architecture": "raises", "optimizer": "raises"}
        text = SUITE.format(**chosen, **names)
        Path("suite.toml").write_text(text, encoding="utf-8")
        return invoke(command, "suite.toml", f"--plugin={ROOM / 'raises.py'}", *more)

    return told


ASKED = [
    ("task", "options"),
    ("task", "parts"),
    ("task", "check"),
    ("architecture", "options"),
    ("architecture", "refuses"),
    ("optimizer", "options"),
    ("measure", "options"),
    ("measure", "refuses"),
    ("detector", "options"),
    ("detector", "init"),
]

WORDS = {"exit": "SystemExit: 0", "interrupt": "KeyboardInterrupt", "mute": "MuteError"}


@pytest.mark.parametrize("how", WORDS)
@pytest.mark.parametrize(("kind", "where"), ASKED, ids=map("-".join, ASKED))
def test_validate_names_what_misbehaves(told: Grokbench, kind: str, where: str, how: str) -> None:
    result = told("validate", kind, where, how)
    assert 2 == result.exit_code, result.output
    error = "SystemExit: 0" if where == "options" else WORDS[how]
    assert "raises" in result.stderr
    assert f"{error} (raises.py, line " in result.stderr


@pytest.mark.parametrize("how", WORDS)
def test_a_warning_that_fails_is_a_warning(told: Grokbench, how: str) -> None:
    result = told("validate", "detector", "warning", how)
    assert 0 == result.exit_code, result.output
    assert f"raises raised an error when asked: {WORDS[how]}" in result.stderr


@pytest.mark.parametrize("how", ["exit", "interrupt"])
@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("task", "examples"),
        ("architecture", "build"),
        ("architecture", "forward"),
    ],
)
def test_a_plan_is_json_and_says_what_cannot_be_trained(
    told: Grokbench, kind: str, where: str, how: str
) -> None:
    result = told("plan", kind, where, how, "--no-measure", "--json")
    assert 0 == result.exit_code, result.output
    assert f"{WORDS[how]}" in json.dumps(json.loads(result.stdout)["notes"])


@pytest.mark.parametrize(
    ("plugin", "error"),
    [
        ("exits_when_imported", "SystemExit: 0 (exits_when_imported.py, line 5)"),
        ("interrupts_in_a_hook", "KeyboardInterrupt (interrupts_in_a_hook.py, line 8)"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_listed_with_its_error(plugin: str, error: str) -> None:
    result = invoke("list", "plugins", "--json", f"--plugin={ROOM / plugin}.py")
    assert 0 == result.exit_code, result.output
    (found,) = (one for one in json.loads(result.stdout) if plugin in one["name"])
    assert error in found["error"]


@pytest.mark.parametrize(
    ("plugin", "line"),
    [
        (
            "exits_when_imported",
            "imports: importing it raises SystemExit: 0 (exits_when_imported.py",
        ),
        (
            "interrupts_in_a_hook",
            "registers_definitions: it raises SystemExit: 0 (interrupts_in_a_hook.py",
        ),
        ("malformed", "detector malformed: finds_something_somewhere: find() gives NoneType"),
    ],
)
def test_the_kit_reports_what_misbehaves(
    monkeypatch: pytest.MonkeyPatch, plugin: str, line: str
) -> None:
    nothing = Import(seconds=0.1, modules=(), changed=(), printed="")
    monkeypatch.setattr(plugins, "imported_elsewhere", lambda *_: nothing)
    result = invoke("test-plugin", ROOM / f"{plugin}.py")
    assert 1 == result.exit_code, result.output
    failed = [one for one in result.stdout.splitlines() if one.startswith("FAILED")]
    assert any(line in one for one in failed), failed
