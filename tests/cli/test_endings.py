"""How commands end: no error has the exit code of an answer, and none shows a bare traceback."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import grokbench as package
from grokbench.cli import cli
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.group import CommandLine
from grokbench.errors import GrokbenchError

ROOT = Path(package.__file__).parents[1]
Grokbench = Callable[..., Result]


class Unspeakable(Exception):  # noqa: N818 - a class of a careless plugin
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def ended_by(error: BaseException) -> Result:
    """What is told, and the exit code, if the command of a plugin raises an error."""

    @click.command()
    def break_down() -> None:
        raise error

    group = CommandLine("grokbench")
    group.add_command(break_down)
    return CliRunner().invoke(group, ["break-down"])


def test_an_unforeseen_error_has_a_code_of_its_own_and_names_the_file_with_its_traceback(
    temporary: Path,
) -> None:
    told = ended_by(ZeroDivisionError("by\nnothing"))
    assert 70 == told.exit_code
    assert "did not foresee this error: ZeroDivisionError: by nothing\n" in told.stderr
    assert "Please report the error" in told.stderr
    assert "Traceback" not in told.output
    (file,) = temporary.iterdir()
    assert f"The traceback is in {file}." in told.stderr
    kept = file.read_text(encoding="utf-8")
    assert f"grokbench {package.__version__}" in kept
    assert "in break_down" in kept


def test_without_a_folder_for_temporary_files_the_traceback_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    told = ended_by(ZeroDivisionError())
    assert 70 == told.exit_code
    assert "The traceback could not be kept (No such file or directory); it is:" in told.stderr
    assert "in break_down" in told.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unspeakable(), 70),
        (RecursionError(), 70),
        (UnicodeError("\udc80"), 70),
        (OSError(28, "No space left on device"), 70),
        (GrokbenchError("a mistake"), 2),
        (FileNotFoundError(2, "No such file or directory", "missing.txt"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (EOFError(), 130),
        (SystemExit(5), 5),
        (SystemExit(), 0),
        (SystemExit("a reason"), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_documented_codes_end_a_command(
    temporary: Path, error: BaseException, code: int
) -> None:
    told = ended_by(error)
    assert code == told.exit_code
    assert "Traceback" not in told.output


def test_what_leaves_the_process_during_a_command_of_grokbench_is_no_success(
    grokbench: Grokbench, temporary: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: object) -> None:
        sys.exit(0)

    monkeypatch.setattr("grokbench.store.open_results", leave)
    told = grokbench("check", results)
    assert 70 == told.exit_code
    assert "something called sys.exit(0)" in told.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", [["--help"], ["list", "suites"], ["list", "suites", "--json"]])
def test_a_full_disk_is_told_and_has_a_code_of_its_own(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grokbench", *command],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert 74 == done.returncode
    assert "Error: the output could not be written: No space left on device.\n" == done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix closes the stream")
@pytest.mark.parametrize("command", [["--help"], ["list", "suites", "--json"]])
def test_closed_standard_output_has_the_code_of_lost_output(command: list[str]) -> None:
    line = shlex.join([sys.executable, "-m", "grokbench", *command])
    done = subprocess.run(["sh", "-c", f"{line} >&-"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert 74 == done.returncode
    assert "Error: the output could not be written: Bad file descriptor.\n" == done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_an_error_keeps_its_code_where_its_message_is_lost() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grokbench", "score", "nothing"],
            cwd=ROOT,
            stdout=full,
            stderr=full,
        )
    assert 2 == done.returncode


def written_in(encoding: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it prints where the terminal has another encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments], prog_name="grokbench")
    code = ended.value.code
    assert isinstance(code, int)
    return code, stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("encoding", "bound"),
    [("ascii", r"\u2264\xa01"), ("latin-1", "\\u2264\xa01"), ("cp1252", "\\u2264\xa01")],
)
def test_a_character_that_the_terminal_lacks_is_an_escape(
    results: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, bound: str
) -> None:
    code, told = written_in(encoding, monkeypatch, "check", str(results))
    assert 0 == code
    assert f" {bound} " in told


def test_json_has_jsons_own_escapes_where_the_terminal_lacks_a_character(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "Größe ≥ 1 \U0001f600"
    text = suite.read_text(encoding="utf-8").replace("A suite for tests", title)
    suite.write_text(text, encoding="utf-8")
    for encoding in ("ascii", "latin-1", "utf-8"):
        code, told = written_in(encoding, monkeypatch, "list", "suites", "--json")
        assert 0 == code
        assert [title] == [row["title"] for row in json.loads(told)]


def test_the_documents_list_every_exit_code() -> None:
    listed = {
        name: {
            int(code)
            for code in re.findall(
                r"^\| (\d+) \|", (ROOT / "docs" / name).read_text(), re.MULTILINE
            )
        }
        for name in ("commands.md", "ci.md")
    }
    assert set(map(int, ExitCode)) == listed["commands.md"]
    assert set(map(int, ExitCode)) - {int(ExitCode.INTERRUPTED)} == listed["ci.md"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(
    ("command", "option"),
    [("check", "--junit-xml"), ("check", "--summary"), ("report", "--output")],
)
def test_a_file_that_cannot_be_written_is_a_message(
    grokbench: Grokbench, results: Path, suite: Path, command: str, option: str
) -> None:
    told = grokbench(command, results, "--suite", suite, option, "/dev/full")
    assert 2 == told.exit_code
    assert "/dev/full: could not be written (No space left on device); name another" in told.stderr
    assert f"such as {option} " in told.stderr
