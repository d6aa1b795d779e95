"""What the documents say is true: versions agree, examples run, links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import grokbench
from grokbench.cli import cli
from grokbench.cli.exit_code import ExitCode

ROOT = Path(grokbench.__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("suites/*.md")])


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def example(language: str, containing: str) -> str:
    """The README's code block in `language` that contains a given line."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text("README.md"), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if containing in block)
    return found


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the README's suite and its plugin, saved under the names it gives them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.toml").write_text(example("toml", "[claims."), encoding="utf-8")
    (tmp_path / "product.py").write_text(example("python", "hookimpl"), encoding="utf-8")
    return tmp_path


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert grokbench.__version__ == project["version"]
    assert f"\nversion: {grokbench.__version__}\n" in text("CITATION.cff")
    assert f"## {grokbench.__version__} " in text("CHANGELOG.md")


def test_every_dependency_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower()
        for line in text("constraints.txt").splitlines()
        if "==" in line
    }
    project = tomllib.loads(text("pyproject.toml"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert set() == {re.split("[>=]", one)[0].lower() for one in asked} - pinned


def test_the_readme_lists_every_command_and_no_other() -> None:
    listed = re.findall(r"^\| `grokbench ([\w-]+)", text("README.md"), re.MULTILINE)
    assert sorted(cli.commands) == sorted(listed)


def test_the_readme_knows_the_exit_codes() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text("README.md"), re.MULTILINE)}
    assert listed <= set(ExitCode)


def test_the_suite_in_the_readme_is_sound(documented: Path) -> None:
    result = CliRunner().invoke(cli, ["validate", "first.toml"])
    assert result.output == "first.toml: no mistakes; 1 experiment, 30 runs, 1 claim\n"


def test_the_plugin_in_the_readme_can_be_trained_on(documented: Path) -> None:
    listed = CliRunner().invoke(cli, ["list", "tasks", "--plugin", "product.py"])
    assert "modular_product" in listed.stdout
    suite = documented / "first.toml"
    given = suite.read_text(encoding="utf-8")
    for here, there in (
        ("modular_addition", "modular_product"),
        ("steps = 1000", "steps = 2"),
        ("seeds = 5", "seeds = 1"),
    ):
        assert here in given
        given = given.replace(here, there)
    suite.write_text('plugins = ["product.py"]\n' + given, encoding="utf-8")
    result = CliRunner().invoke(cli, ["run", "first.toml", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    final = grokbench.open_results("results/first")["addition"].validation_accuracy.isel(step=-1)
    assert bool(final.notnull().all())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
