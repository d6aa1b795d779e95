"""action.yml and docs/ci.md: their scripts run, and they know each other's inputs and codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from grokbench.cli import cli
from grokbench.cli.exit_code import ExitCode
from tests.cli.conftest import PLUGIN, SUITE

ROOT = Path(__file__).parents[1]
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")

STAND_IN = """#!/usr/bin/env bash
echo "$@" >> calls
case $1 in
    run) exit "${RUN_CODE:-0}" ;;
    check) exit "${CHECK_CODE:-0}" ;;
esac
"""

Script = Callable[..., subprocess.CompletedProcess[str]]


def page_script() -> str:
    """The page's whole shell script."""
    return PAGE.partition("```bash\n")[2].partition("```")[0]


def step_script(name: str) -> str:
    """What a step of the action runs."""
    (step,) = (step for step in ACTION.split("\n    - ")[1:] if step.startswith(f"name: {name}"))
    return dedent(step.partition("run: |\n")[2])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Run a script as a GitHub step does, with a stand-in for grokbench that only writes it down."""
    monkeypatch.chdir(tmp_path)
    stand_in = tmp_path / "bin" / "grokbench"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN, encoding="utf-8")
    stand_in.chmod(0o755)

    def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        Path("script").write_text(script, encoding="utf-8")
        path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "script", *arguments],
            env={
                "PATH": path,
                "PROGRAM": str(stand_in),
                "GITHUB_OUTPUT": "output",
                "GITHUB_PATH": "path",
                "GITHUB_JOB": "quick",
                "GITHUB_RUN_ATTEMPT": "1",
                "RUNNER_TEMP": str(tmp_path),
                **environment,
            },
            capture_output=True,
            text=True,
        )

    return run


def calls() -> list[str]:
    return Path("calls").read_text(encoding="utf-8").splitlines()


def output() -> dict[str, str]:
    return dict(line.split("=", 1) for line in Path("output").read_text().splitlines())


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4)])
def test_the_shell_script_lets_only_the_undecided_pass(
    run: Script, code: int, expected: int
) -> None:
    ended = run(page_script(), "suites/quick.toml", CHECK_CODE=str(code), RUN_CODE="4")
    assert expected == ended.returncode
    assert ("warning" in ended.stderr) == (code == 3)
    commands = ["run suites/quick.toml", "check build/quick", "report build/quick"]
    for command, call in zip(commands, calls(), strict=True):
        assert call.startswith(command)


def test_the_shell_script_stops_where_the_suite_is_wrong(run: Script) -> None:
    assert 2 == run(page_script(), RUN_CODE="2").returncode
    assert 1 == len(calls())


@pytest.mark.slow
def test_the_shell_script_works(tmp_path: Path) -> None:
    """With grokbench itself, on a suite of four steps."""
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "small.toml").write_text(SUITE, encoding="utf-8")
    ended = subprocess.run(
        ["bash", "-c", page_script(), "script", "small.toml"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GROKBENCH_RUN_JOBS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert 0 == ended.returncode, ended.stderr
    assert "1 of 1 claim reproduced" in ended.stdout
    left = {path.name for path in (tmp_path / "build" / "small").iterdir()}
    assert {"small.nc", "verdicts.json", "claims.xml", "claims.md", "report.html"} <= left


def test_the_action_trains_as_it_is_asked(run: Script) -> None:
    asked = {"SUITE": "suites/quick.toml", "RESULTS": "", "BUDGET": "5m"}
    script = step_script("Train what is missing")
    assert 0 == run(script, OPTIONS="--seeds 5 --jobs 2", **asked).returncode
    assert ["run suites/quick.toml --out results/quick --budget 5m --seeds 5 --jobs 2"] == calls()
    assert {"results": "results/quick", "artifact": ""} == output()
    for options in ("--seeds 5\n--jobs 2", "--seeds\n  5\n\n--jobs 2\n"):
        assert 0 == run(script, OPTIONS=options, **asked).returncode
        assert calls()[0] == calls()[-1]
    assert 0 == run(script, OPTIONS="--only *", **asked).returncode
    assert calls()[-1].endswith("--only *")
    assert 0 == run(script, OPTIONS="", RUN_CODE="4", **asked).returncode
    assert 2 == run(script, OPTIONS="", RUN_CODE="2", **asked).returncode
    run(script, **(asked | {"RESULTS": "results/mine"}))
    assert "run suites/quick.toml --out results/mine --budget 5m" == calls()[-1]


@pytest.mark.parametrize("name", ["SUITE", "RESULTS", "ARTIFACT"])
def test_an_input_of_the_action_cannot_set_another_output(run: Script, name: str) -> None:
    script = step_script("Train what is missing")
    given = {"SUITE": "suites/quick.toml", "RESULTS": "", "BUDGET": "5m", "OPTIONS": ""}
    for end in ("\nexit-code=0", "\rexit-code=0", "\n"):
        assert 2 == run(script, **{**given, name: f"any{end}"}).returncode
    assert not Path("calls").exists()
    assert not Path("output").exists()


def test_the_artifact_has_a_name_of_its_own_unless_one_is_given(run: Script) -> None:
    script = step_script("Train what is missing")
    names = []
    for given in (
        {},
        {},
        {"JOB_INDEX": "1"},
        {"GITHUB_JOB": "paper"},
        {"RESULTS": "a b/c:d"},
        {"GITHUB_RUN_ATTEMPT": "2"},
    ):
        asked = {"SUITE": "quick.toml", "BUDGET": "5m", "ARTIFACT": "auto", **given}
        assert 0 == run(script, **asked).returncode
        names.append(output()["artifact"])
    assert 6 == len(set(names))
    assert "grokbench-quick-0-1-results-quick" == names[0]
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    run(script, SUITE="quick.toml", BUDGET="5m", ARTIFACT="mine")
    assert "mine" == output()["artifact"]


REAL_VENV = """#!/usr/bin/env bash
echo "$@" >> calls
case " $* " in *" -m venv "*)
    folder=${!#}
    "$REAL" "${@:1:$#-1}" --without-pip "$folder"
    ln -sf "$(command -v python)" "$folder/bin/python"
esac
"""
"""A stand-in for Python that really makes the environment, and only writes down what pip is asked."""


def test_the_action_installs_without_the_modules_of_the_repository(
    run: Script, tmp_path: Path
) -> None:
    for name in ("venv", "pip", "ensurepip"):
        Path(f"{name}.py").write_text("open('executed', 'w')", encoding="utf-8")
    python = tmp_path / "bin" / "python"
    python.write_text(REAL_VENV, encoding="utf-8")
    python.chmod(0o755)
    ended = run(
        step_script("Install grokbench"),
        SOURCE="/action",
        PLUGINS="./my-plugin\r\n\ngrokbench-fourier==0.1",
        TORCH_INDEX="https://example.org/cpu",
        REAL=sys.executable,
    )
    assert 0 == ended.returncode, ended.stderr
    assert not Path("executed").exists()
    assert not Path("path").exists()
    program = Path(output()["program"])
    assert (program.parent / "python").is_symlink()
    made, *installs = calls()
    assert f"-I -m venv {program.parents[1]}" == made
    pip = "-I -m pip --disable-pip-version-check install --quiet"
    pinned = f"{pip} --constraint /action/constraints.txt"
    assert [
        f"{pinned} --extra-index-url https://example.org/cpu torch",
        f"{pinned} /action",
        f"{pip} ./my-plugin",
        f"{pip} grokbench-fourier==0.1",
    ] == installs


def test_no_script_of_the_action_contains_an_expression() -> None:
    """An expression is replaced before the shell reads the script, so its value would be code."""
    steps = ACTION.split("\n    - ")[1:]
    scripts = [step.partition("run:")[2] for step in steps if "run:" in step]
    assert 4 == len(scripts)
    assert not any("${{" in script for script in scripts)
    assert ["https://download.pytorch.org/whl"] == sorted(
        set(re.findall(r"https?://[\w./]+?(?=/c)", ACTION))
    )
    assert "--index-url" not in ACTION.replace("--extra-index-url", "")


@pytest.mark.parametrize("undecided", ["fail", "pass"])
@pytest.mark.parametrize("code", [0, 1, 2, 3, 4])
def test_the_action_fails_as_the_check_does(run: Script, code: int, undecided: str) -> None:
    asked = {"SUITE": "suites/quick.toml", "RESULTS": "results/quick", "UNDECIDED": undecided}
    ended = run(step_script("Check the claims"), CHECK_CODE=str(code), **asked)
    passes = code == 3 and undecided == "pass"
    assert (0 if passes else code) == ended.returncode
    assert ("::warning" in ended.stdout) == passes
    assert {"exit-code": str(code), "junit-xml": "results/quick/claims.xml"} == output()
    (call,) = calls()
    assert "check results/quick --suite suites/quick.toml" in call


def test_every_input_of_the_action_is_used_and_documented() -> None:
    inputs = ACTION.partition("\ninputs:\n")[2].partition("\noutputs:\n")[0]
    declared = re.findall(r"^  ([\w-]+):$", inputs, re.MULTILINE)
    assert set(declared) == set(re.findall(r"inputs\.([\w-]+)", ACTION))
    table = PAGE.partition("| input |")[2].partition("\n\n")[0]
    assert declared == re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)


def test_the_workflow_keeps_what_was_trained_even_where_the_check_fails() -> None:
    """actions/cache saves only after a job that passed, which an undecided claim does not."""
    steps = PAGE.partition("```yaml\n")[2].partition("```")[0].split("\n      - ")[1:]
    (restore,) = (step for step in steps if step.startswith("uses: actions/cache/restore@"))
    (save,) = (step for step in steps if step.startswith("uses: actions/cache/save@"))
    assert steps[-1] == save
    assert "if: always()" in save
    for field in ("path", "key"):
        (kept,) = re.findall(rf"^ +{field}: (.*)$", save, re.MULTILINE)
        assert [kept] == re.findall(rf"^ +{field}: (.*)$", restore, re.MULTILINE)


def test_every_command_and_option_that_they_show_exists() -> None:
    for command, rest in re.findall(r"^[ -]*grokbench (\w+)(.*(?:\\\n.*)*)", ACTION + PAGE, re.M):
        known = {name for option in cli.commands[command].params for name in option.opts}
        assert set() == set(re.findall(r"--[\w-]+", rest)) - known, command


def test_the_page_knows_every_code_of_check() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert set(ExitCode) - {ExitCode.INTERRUPTED} == listed
