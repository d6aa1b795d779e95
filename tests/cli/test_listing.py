from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import grokbench as package

Grokbench = Callable[..., Result]

OWN = f"grokbench {package.__version__}"


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tasks", "modular_addition"),
        ("architectures", "dense"),
        ("optimizers", "adamw"),
        ("detectors", "double_descent"),
    ],
)
def test_what_is_built_in_is_listed_with_its_origin(
    grokbench: Grokbench, kind: str, name: str
) -> None:
    row = rows(grokbench("list", kind, "--json"))[name]
    assert row["origin"] == OWN
    assert row["summary"]
    assert name in grokbench("list", kind).stdout


def test_options_are_listed_with_their_defaults(grokbench: Grokbench) -> None:
    options = rows(grokbench("list", "tasks", "--json"))["modular_addition"]["options"]
    defaults = {name: option["default"] for name, option in options.items()}
    assert {"modulus": 113, "operator_token": False, "split": "ordered"} == defaults
    table = grokbench("list", "tasks").stdout
    assert "modulus = 113" in table
    assert 'split = "ordered"' in table


def test_a_single_file_plugin_is_listed_with_its_path(grokbench: Grokbench, suite: Path) -> None:
    file = suite.parent / "plugin.py"
    detectors = rows(grokbench("list", "detectors", "--plugin", file, "--json"))
    assert detectors["final_accuracy"]["origin"] == str(file.resolve())


def test_a_broken_plugin_is_listed_with_its_error_and_harms_nobody(
    grokbench: Grokbench, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module\n")
    result = grokbench("list", "plugins", "--plugin", broken, "--json")
    assert result.exit_code == 0
    listed = rows(result)
    assert "no_such_module" in listed[str(broken.resolve())]["error"]
    assert listed["grokbench"]["error"] is None
    tasks = grokbench("list", "tasks", "--plugin", broken, "--json")
    assert tasks.exit_code == 0
    assert "modular_addition" in rows(tasks)
    assert str(broken.resolve()) in tasks.stderr


def test_suites_are_found_here_and_in_the_folder_suites(grokbench: Grokbench, suite: Path) -> None:
    folder = suite.parent / "suites"
    folder.mkdir()
    (folder / "other.toml").write_text('title = "Another"\n[experiments]\n')
    (folder / "spoilt.toml").write_text("title = \n")
    (suite.parent / "pyproject.toml").write_text('[project]\nname = "no suite"\n')
    listed = rows(grokbench("list", "suites", "--json"))
    assert {"small", "other", "spoilt"} == listed.keys()
    assert listed["small"] == {"name": "small", "title": "A suite for tests", "path": "small.toml"}
    assert "line 1" in listed["spoilt"]["title"]


def test_where_there_are_no_suites_that_is_what_is_said(
    grokbench: Grokbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert grokbench("list", "suites").stdout == "There are no suites here.\n"
    assert grokbench("list", "suites", "--json").stdout == "[]\n"
