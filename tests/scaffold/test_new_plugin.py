"""`grokbench new-plugin` makes packages that work, and overwrites nothing."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import grokbench
from grokbench import PluginError
from grokbench.cli import cli
from grokbench.cli.new_plugin import KINDS as OFFERED
from grokbench.scaffold import KINDS, new_plugin

CHOICES = [*([kind] for kind in KINDS), list(KINDS)]


def test_the_command_line_offers_every_kind():
    assert KINDS == OFFERED


@pytest.mark.parametrize("kinds", CHOICES, ids="-".join)
def test_a_new_plugin_has_a_suite_without_mistakes(tmp_path, monkeypatch, kinds):
    folder, site = tmp_path / "made", tmp_path / "site"
    # Each choice has a module of its own, because the modules are imported into one process.
    module = f"grokbench_made_{len(kinds)}_{kinds[0]}"
    files = new_plugin(module.replace("_", "-"), folder, kinds)
    for file in files:
        if file.suffix == ".py":
            ast.parse(file.read_text(encoding="utf-8"))
    install(folder, site, module, kinds)
    monkeypatch.syspath_prepend(site)
    result = CliRunner().invoke(cli, ["validate", str(folder / "suite.toml")])
    assert "no mistakes" in result.stdout, result.output


@pytest.mark.slow
def test_a_new_plugin_with_everything_conforms_and_runs(tmp_path):
    folder, site = tmp_path / "made", tmp_path / "site"
    new_plugin("grokbench-made", folder, KINDS)
    pip = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(site), "."]
    run(site, folder, *pip)
    run(site, folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (
        " 0 FAILED" in run(site, folder, "-m", "grokbench", "test-plugin", "grokbench-made").stdout
    )
    run(site, folder, "-m", "grokbench", "run", "suite.toml", "--jobs", "1")


NAMES = [
    "Bad name", "1st", "a--b", "../up", "class", "grokbench-class", "grokbench-2x", "",
    "json", "random", "build", "dist", "results", "tests", "conftest",
]  # fmt: skip


def needed() -> list[str]:
    """grokbench and all libraries that it is installed with."""
    pyproject = Path(grokbench.__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted = [project["name"], *project["dependencies"], *project["optional-dependencies"]["test"]]
    return sorted({re.match(r"[\w-]+", one)[0].lower() for one in wanted})


@pytest.mark.parametrize("name", [*NAMES, *needed()])
def test_a_name_that_no_package_can_have_is_an_error(tmp_path, name):
    with pytest.raises(PluginError, match="write"):
        new_plugin(name, tmp_path / "made")
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    result = CliRunner().invoke(cli, ["new-plugin", "mine", "--into", str(tmp_path)])
    assert result.exit_code == 2
    assert "is there already" in result.output
    assert ["notes.txt"] == [path.name for path in (tmp_path / "mine").iterdir()]


def test_the_trace_says_where_plugins_come_from_and_what_each_hook_call_did(tmp_path):
    file = tmp_path.resolve() / "mine.py"
    file.write_text(
        "import grokbench\n@grokbench.hookimpl\ndef register_tasks(register):\n    1 / 0\n"
    )
    words = ["list", "tasks", "--plugin", str(file)]
    lines = CliRunner().invoke(cli, words, env={"GROKBENCH_TRACE": "1"}).stderr.splitlines()
    assert f"grokbench: plugin {file} from {file} (a single file)" in lines
    raised = "raised ZeroDivisionError: division by zero (mine.py, line 4)"
    assert f"grokbench: register_tasks in {file} -> {raised}" in lines
    assert any(
        line.startswith("grokbench: register_tasks in grokbench.builtin -> task modular_addition")
        for line in lines
    )
    assert "grokbench: plugin" not in CliRunner().invoke(cli, words).stderr


def install(folder: Path, site: Path, module: str, kinds: list[str]) -> None:
    """Lay the package's modules and its entry points where Python finds them."""
    (folder / "src").rename(site)
    metadata = site / f"{module}-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 0.1.0\n")
    if set(kinds) - {"command"}:
        points = f"[grokbench]\nmade = {module}.plugin\n"
        (metadata / "entry_points.txt").write_text(points)


def run(site: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
