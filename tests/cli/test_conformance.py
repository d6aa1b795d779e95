"""`grokbench test-plugin`: a line a check, and an exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from grokbench.testing.conformance import plugins
from grokbench.testing.conformance.another_process import Import

Grokbench = Callable[..., Result]

PLUGIN = '''
import torch
from grokbench import Optimizer, hookimpl


class Sign(Optimizer):
    """Steps of one length."""

    name = "sign"

    def start(self, parameters):
        pass

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        parameters.addcmul_(parameters, learning_rate * weight_decay, value=-1)
        parameters.addcmul_(gradients.sign(), learning_rate, value=-1)


class Idle(Sign):
    """No weight decay."""

    name = "idle"

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        parameters.addcmul_(gradients.sign(), learning_rate, value=-1)


@hookimpl
def register_optimizers(register):
    register(Sign)
    {more}
'''


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the seconds that an import in another process takes."""
    nothing = Import(seconds=0.1, modules=(), changed=(), printed="")
    monkeypatch.setattr(plugins, "imported_elsewhere", lambda *_: nothing)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.py"
    path.write_text(PLUGIN.replace("{more}", ""), encoding="utf-8")
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.py"
    path.write_text(PLUGIN.replace("{more}", "register(Idle)"), encoding="utf-8")
    return path


def test_a_sound_plugin_has_a_line_a_check_and_exit_code_0(
    grokbench: Grokbench, sound: Path
) -> None:
    result = grokbench("test-plugin", sound)
    assert result.exit_code == 0, result.output
    *lines, summary = result.stdout.splitlines()
    assert re.fullmatch(r"\d+ ok, 0 FAILED, 0 expected, \d skipped", summary)
    assert f"ok       plugin {sound}: imports" in lines
    assert "ok       optimizer sign: goes_downhill" in lines
    assert all(line.startswith(("ok ", "skipped ")) for line in lines)


@pytest.mark.usefixtures("unimported")
def test_a_failure_says_what_why_and_what_to_write_and_the_exit_code_is_1(
    grokbench: Grokbench, broken: Path
) -> None:
    result = grokbench("test-plugin", broken)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    assert "optimizer idle: obeys_each_weight_decay: 18 of 18 parameters" in line
    assert "grokking depends on it; add parameters.addcmul_(" in line
    assert "1 FAILED" in result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("unimported")
def test_an_expected_failure_is_no_failure(grokbench: Grokbench, broken: Path) -> None:
    check = "optimizer idle: obeys_each_weight_decay"
    result = grokbench("test-plugin", broken, "--expect", check, "it is for runs without decay")
    assert result.exit_code == 0, result.output
    assert f"expected {check}: it is for runs without decay (" in result.stdout


@pytest.mark.usefixtures("unimported")
def test_json_has_every_result_and_nothing_that_the_plugin_prints(
    grokbench: Grokbench, broken: Path
) -> None:
    talkative = broken.read_text(encoding="utf-8").replace("        pass\n", "        print(1)\n")
    broken.write_text(talkative, encoding="utf-8")
    result = grokbench("test-plugin", broken, "--json")
    assert result.exit_code == 1
    documents = json.loads(result.stdout)
    assert {"subject", "check", "outcome", "message"} == set(documents[0])
    assert ["obeys_each_weight_decay"] == [
        one["check"] for one in documents if one["outcome"] == "FAILED"
    ]


def test_an_unknown_name_is_a_usage_error_with_the_nearest(grokbench: Grokbench) -> None:
    result = grokbench("test-plugin", "adamv")
    assert result.exit_code == 2
    assert "did you mean 'adamw'?" in result.stderr


def test_an_unknown_check_is_a_usage_error_with_the_nearest(grokbench: Grokbench) -> None:
    result = grokbench("test-plugin", "sgd", "--expect", "optimizer sgd: goes_down", "why not")
    assert result.exit_code == 2
    assert "goes_downhill" in result.stderr


def test_a_built_in_definition_can_be_examined_by_its_name(grokbench: Grokbench) -> None:
    result = grokbench("test-plugin", "sgd")
    assert result.exit_code == 0, result.output
