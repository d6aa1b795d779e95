"""The documents are true: versions and verdicts agree, examples run, links lead somewhere."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import grokbench
from grokbench.claims import Outcome
from grokbench.claims.markdown import SYMBOLS
from grokbench.cli import cli
from grokbench.cli.exit_code import ExitCode
from grokbench.readout import settled

ROOT = Path(grokbench.__file__).parents[1]
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "docs/hooks", "suites", "results")
    for path in ROOT.glob(f"{folder}/*.md")
)
VERDICTS = ["quick", "paper"]
"""The suites in the README's table, in its order."""

COUNTED = [*VERDICTS, "quick-fixed", "paper-lite", "paper-fixed"]
"""The suites whose verdicts the README counts."""
"""The results whose verdicts the README shows, from left to right."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(document: str) -> list[list[str]]:
    """The cells of every line of every table; the first and the last cell are empty."""
    lines = [line for line in document.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def stored(name: str) -> dict[str, Any]:
    """A suite's committed verdicts."""
    verdicts: dict[str, Any] = json.loads(text(f"results/{name}/verdicts.json"))
    return verdicts


def example(language: str, containing: str) -> str:
    """The code block of the README in `language` that contains a given text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text("README.md"), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if containing in block)
    return found


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the suite and the plugin of the README, under the names that the README gives."""
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


@pytest.mark.parametrize("document", ["README.md", "docs/commands.md"])
def test_a_table_of_commands_lists_every_command_and_no_other(document: str) -> None:
    listed = re.findall(r"^\| `grokbench ([\w-]+)", text(document), re.MULTILINE)
    assert sorted(cli.commands) == sorted(listed)


def test_the_page_on_commands_knows_every_option_and_whose_it_is() -> None:
    owners = {
        option: set(re.findall(r"`([\w-]+)`", row[2]))
        for row in rows(text("docs/commands.md"))
        for option in re.findall(r"`--([\w-]+)", row[1])
    }
    expected: dict[str, set[str]] = {}
    for name, command in cli.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                shown = (parameter.secondary_opts or parameter.opts)[-1].removeprefix("--")
                expected.setdefault(shown, set()).add(name)
    assert expected == owners


def test_the_page_on_commands_knows_every_exit_code() -> None:
    listed = re.findall(r"^\| (\d+) \|", text("docs/commands.md"), re.MULTILINE)
    assert sorted(set(ExitCode)) == sorted(int(code) for code in listed)


def two_decimals(value: float | str) -> str:
    """`−0.05`, `0.00` or `∞`, as in the README's table."""
    rounded = round(float(value), 2) + 0.0  # without a negative zero
    return f"{rounded:.2f}".replace("-", "−").replace("inf", "∞")


def shown(claim: dict[str, Any]) -> str:
    """A claim's cell in the README's table: symbol, effect and interval."""
    mark = "*" if " interval alone, but not by " in claim["reason"] else ""
    symbol = SYMBOLS[Outcome(claim["outcome"])] + mark
    if claim["finding"] is None:
        return symbol
    effect, low, high = (two_decimals(claim["finding"][end]) for end in ("effect", "low", "high"))
    return f"{symbol} {effect} [{low}, {high}]"


@pytest.mark.parametrize("name", VERDICTS)
def test_the_readme_shows_each_verdict_and_effect(name: str) -> None:
    table = [row for row in rows(text("README.md")) if re.search(r"\(\d\)$", row[1])]
    cells = [row[3 + VERDICTS.index(name)] for row in table]
    assert [shown(claim) for claim in stored(name)["claims"]] == [
        one for one in cells if one != "–"
    ]


@pytest.mark.parametrize("name", COUNTED)
def test_the_readme_counts_the_verdicts(name: str) -> None:
    score = stored(name)["score"]
    (line,) = re.findall(
        rf"^- [^\n]*results/{name}\)\).*?(\d+ of \d+ claims reproduced.*?)\.$",
        text("README.md"),
        re.DOTALL | re.MULTILINE,
    )
    counts = [f"{score['reproduced']} of {score['claims']} claims reproduced"]
    for key in ("not_reproduced", "undecided", "not_run", "out_of_reach", "too_close"):
        words = Outcome(key).description
        counts += [f"{score[key]} {words}"] if score[key] else []
    assert ", ".join(counts) == line


def test_the_readme_describes_its_figure() -> None:
    """The numbers in the table under the figure are the means of the stored runs."""
    runs = grokbench.open_results(ROOT / "results" / "paper-fixed")["model_size"].to_dataset()
    mean = settled(runs, "validation_accuracy").mean("seed").round(2)
    little, more = mean.sel(data_size=2600), mean.sel(data_size=3000)
    middle, last = little.sel(model_size=slice(20, 48)), little.sel(model_size=100)
    much = mean.sel(data_size=[4000, 5000])
    stated = [
        f"({runs['status'].size} runs)",
        f"the mean rises to {little.sel(model_size=12):.2f} at size 12",
        f"{middle.min():.2f} to {middle.max():.2f} at sizes 20 to 48, and {last:.2f} at size 100",
        f"falls from {more.sel(model_size=20):.2f} at size 20 to {more.sel(model_size=28):.2f} at "
        f"size 28, falls again to {more.sel(model_size=44):.2f} at size 44, and is "
        f"{more.sel(model_size=slice(64, None)).min():.2f} from size 64 on",
    ]
    assert bool((runs["status"] == 1).all())
    assert bool((much.diff("model_size") >= 0).all())
    assert [] == [words for words in stated if words not in text("README.md")]


def test_the_suite_in_the_readme_is_sound(documented: Path) -> None:
    result = CliRunner().invoke(cli, ["validate", "first.toml"])
    assert result.stdout == "first.toml: no mistakes; 1 experiment, 30 runs, 1 claim\n"


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
    names: dict[str, Any] = {}
    exec(example("python", "open_results"), names)  # noqa: S102 (the README's own code)
    assert bool(names["accuracy"].notnull().all())


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text(encoding="utf-8"))
    targets = [(document.parent / file if file else document, anchor) for file, anchor in links]
    assert [] == [str(file) for file, _ in targets if not file.exists()]
    assert [] == [anchor for file, anchor in targets if anchor and anchor not in headings(file)]
