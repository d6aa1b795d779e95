"""Detectors that misbehave cost only their own claim its verdict, and say why, in every command."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grokbench.switches import process_state
from tests.hostile.room import ROOM, Room, claim_of, in_a_fresh_process, invoke

MALFORMED = {
    "none": "returned NoneType; return a grokbench.Finding",
    "a dict": "returned dict; return a grokbench.Finding",
    "text for a number": "effect is str; write a float",
    "nothing for an end": "low is None; write a float",
    "an array": "high is ndarray; write a float",
    "a truth": "effect is True; write a float",
    "10**400": "effect is too large for a float",
    "mute number": "effect is Mute; write a float",
    "text for seeds": "seeds are str; write an int",
    "half a seed": "seeds are 2.5; write an int",
    "10**5000 seeds": "seeds are no number of seeds",
    "fewer than no seeds": "seeds are no number of seeds",
    "a number for words": "evidence is int; write a str",
    "a lone surrogate": "evidence is no text that can be written as UTF-8",
    "a lone surrogate in the unit": "unit is no text that can be written as UTF-8",
    "cyclic details": "contain themselves",
    "text for details": "details are str; write a dict",
    "mute details": "SystemExit: 0 (malformed.py, line",
    "a lone surrogate in details": "details have a text that is no text that can be written",
    "10**5000 in details": "a whole number of more than 64 bits",
    "mute key": "SystemExit: 0 (malformed.py, line",
}

RAISED = {
    "exit": "SystemExit: 0 (raises.py, line",
    "interrupt": "KeyboardInterrupt (raises.py, line",
    "mute": "MuteError (raises.py, line",
    "stop": "StopIteration (raises.py, line",
    "close": "GeneratorExit (raises.py, line",
}


@pytest.mark.parametrize(("gives", "why"), MALFORMED.items(), ids=MALFORMED)
def test_a_malformed_finding_costs_its_claim_alone(
    room: Room, untouched: dict[str, Any], gives: str, why: str
) -> None:
    result = room.judged("score", "malformed", "--json", gives=gives)
    hostile = claim_of(result, 0)
    assert "undecided" == hostile["outcome"]
    assert hostile["reason"].startswith("detector 'malformed' ")
    assert why in hostile["reason"]
    assert untouched == claim_of(result, 1)


def test_numbers_of_numpy_are_numbers(room: Room) -> None:
    hostile = claim_of(room.judged("score", "malformed", "--json", gives="seeds of numpy"), 0)
    assert "reproduced" == hostile["outcome"]
    assert 2 == hostile["finding"]["seeds"]
    assert {"1": [2]} == hostile["finding"]["details"]


def test_a_text_of_a_class_of_its_own_is_its_text(room: Room) -> None:
    hostile = claim_of(room.judged("score", "malformed", "--json", gives="mute words"), 0)
    assert "seen" == hostile["finding"]["evidence"]


def test_an_effect_that_is_no_number_decides_nothing(room: Room) -> None:
    hostile = claim_of(room.judged("score", "malformed", "--json", gives="not a number"), 0)
    assert "undecided" == hostile["outcome"]
    assert "the effect is not a number" in hostile["reason"]


def test_too_little_data_without_words_is_too_little_data(
    room: Room, untouched: dict[str, Any]
) -> None:
    result = room.judged("score", "malformed", "--json", gives="mute lack")
    hostile = claim_of(result, 0)
    assert "undecided" == hostile["outcome"]
    assert "does not say what is lacking" in hostile["reason"]
    assert untouched == claim_of(result, 1)


@pytest.mark.parametrize("where", ["find", "at"])
@pytest.mark.parametrize(("how", "why"), RAISED.items(), ids=RAISED)
def test_whatever_a_detector_raises_is_its_own_failure(
    room: Room, untouched: dict[str, Any], where: str, how: str, why: str
) -> None:
    result = room.judged("score", "raises", "--json", where=where, how=how)
    hostile = claim_of(result, 0)
    assert f"detector 'raises' raised {why}" in hostile["reason"]
    assert untouched == claim_of(result, 1)


def test_ctrl_c_is_ctrl_c_even_where_a_plugin_swallows_it(room: Room) -> None:
    result = room.judged("score", "raises", where="find", how="ctrl-c")
    assert 130 == result.exit_code
    assert "Interrupted." in result.stderr


def test_what_a_detector_writes_into_its_data_reaches_no_other_claim(
    room: Room, untouched: dict[str, Any]
) -> None:
    result = room.judged("score", "writes", "--json")
    assert "not_reproduced" == claim_of(result, 0)["outcome"]
    assert untouched == claim_of(result, 1)


def test_what_a_detector_changes_for_the_process_is_put_back(
    room: Room, untouched: dict[str, Any]
) -> None:
    before = process_state()
    result = room.judged("score", "unsettles", "--json")
    assert "reproduced" == claim_of(result, 0)["outcome"]
    assert "this is not JSON" in result.stderr
    assert untouched == claim_of(result, 1)
    assert before == process_state()
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


LOWERED = """
import os, resource
from grokbench.switches import SETTINGS, put_back
if os.getuid() == 0:
    os.setuid(65534)  # root may raise a hard limit again
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
with put_back({"limits": SETTINGS["the limits of the system"]}):
    resource.setrlimit(resource.RLIMIT_NOFILE, (10, soft - 1))
print(soft - 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_soft_limit_is_put_back_as_far_as_the_hard_limit_allows() -> None:
    done = subprocess.run([sys.executable, "-c", LOWERED], capture_output=True, text=True)
    expected, found = done.stdout.split()
    assert expected == found


FORKED = {
    # What the parent found: the exit code of its child.
    "exit": 7.0,
    "error": 1.0,
    "return": 0.0,
}


@pytest.mark.parametrize(("how", "status"), FORKED.items(), ids=FORKED)
def test_a_forked_child_ends_and_the_parent_is_judged(
    room: Room, untouched: dict[str, Any], how: str, status: float
) -> None:
    done = in_a_fresh_process(*room.judging("score", "forks", how=how), "--json")
    assert 0 == done.returncode, done.stderr
    hostile, innocent = json.loads(done.stdout)["claims"]
    assert status == hostile["finding"]["effect"]
    assert "seen" == hostile["finding"]["evidence"]
    assert untouched["finding"]["effect"] == innocent["finding"]["effect"]
    printed = [line for line in done.stderr.splitlines() if line.startswith("fork ")]
    assert len(set(printed)) == len(printed) > 0


def test_a_thread_that_never_ends_does_not_keep_the_command(room: Room) -> None:
    done = in_a_fresh_process(*room.judging("check", "lingers"))
    assert 3 == done.returncode, done.stderr
    assert "lingers" in done.stdout
    assert "a thread that a plugin started is still running" in done.stderr


def test_a_pool_of_idle_threads_is_not_told(room: Room) -> None:
    done = in_a_fresh_process(*room.judging("score", "lingers", how="idle"), "--json")
    assert 0 == done.returncode, done.stderr
    assert 2 == len(json.loads(done.stdout)["claims"])
    assert "still running" not in done.stderr


BAD = {
    "exit": ("raises", {"where": "find", "how": "exit"}),
    "interrupt": ("raises", {"where": "find", "how": "interrupt"}),
    "mute": ("raises", {"where": "find", "how": "mute"}),
    "none": ("malformed", {"gives": "none"}),
    "cycle": ("malformed", {"gives": "cyclic details"}),
    "surrogate": ("malformed", {"gives": "a lone surrogate in details"}),
}


@pytest.mark.parametrize(("plugin", "options"), BAD.values(), ids=BAD)
def test_check_is_never_silent_nor_green(
    room: Room, tmp_path: Path, plugin: str, options: dict[str, str]
) -> None:
    file = tmp_path / "junit.xml"
    result = room.judged("check", plugin, f"--junit-xml={file}", **options)
    assert 3 == result.exit_code, result.output
    assert f"detector '{plugin}'" in result.stdout
    assert f"detector '{plugin}'" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", RAISED)
def test_a_figure_that_fails_is_named_in_its_place(room: Room, tmp_path: Path, how: str) -> None:
    page = tmp_path / "report.html"
    result = room.judged("report", "raises", f"--output={page}", where="figure", how=how)
    assert 0 == result.exit_code, result.output
    words = page.read_text(encoding="utf-8")
    assert "The figure of detector &#39;raises&#39; failed" in words
    assert RAISED[how].split(" ")[0].removesuffix(":") in words


@pytest.mark.parametrize(
    ("plugin", "options"), [BAD["exit"], BAD["cycle"], ("unsettles", {})], ids=str
)
def test_run_writes_the_verdicts_whatever_a_detector_does(
    room: Room, untouched: dict[str, Any], tmp_path: Path, plugin: str, options: dict[str, str]
) -> None:
    suite = room.suite({"name": plugin, **options})
    out = tmp_path / "trained"
    shutil.copytree(room.folder / "trained", out)
    (out / "verdicts.json").unlink()
    (out / "trained.nc").rename(out / "judging.nc")
    files = [f"--plugin={ROOM / f'{one}.py'}" for one in (plugin, "innocent")]
    result = invoke("run", suite, "--out", out, *files)
    assert 0 == result.exit_code, result.output
    written = json.loads((out / "verdicts.json").read_text(encoding="utf-8"))["claims"]
    assert [plugin, "innocent"] == [one["detector"]["name"] for one in written]
    assert untouched["finding"] == written[1]["finding"]
