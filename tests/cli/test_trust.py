"""Reading a stranger's results executes no code that they name, unless the reader asks for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import grokbench as public
from grokbench import PluginError, SuiteError
from tests.cli.conftest import CRASHING, PLUGIN, SUITE

Grokbench = Callable[..., Result]

READERS = ("SCORE", "CHECK", "REPORT", "COMPARE")

MIXED = (
    SUITE.replace('plugins = ["plugin.py"]', 'plugins = ["plugin.py", "fragile.py"]')
    .replace('"modular_addition"', '"fragile"')
    .replace("data_sizes = [10, 15]", "data_sizes = [10, 12]")
    + """
[claims.grokking]
statement = "Some runs grok, or none."
detector = "dynamics"
experiment = "addition"
rule = { at_least = 0.0 }
minimum_seeds = 2

[claims.second]
statement = "Nobody knows this detector's roles."
detector = { name = "final_accuracy" }
experiments = { experiment = "addition" }
where = { data_size = 10 }
rule = { at_most = 1.0 }
minimum_seeds = 2
"""
)


@pytest.fixture
def reader(suite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a reader who gives no plugin."""
    for command in READERS:
        monkeypatch.delenv(f"GROKBENCH_{command}_PLUGIN")
    return suite.parent


@pytest.fixture(scope="module")
def mixed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with a task and a detector of plugins, and claims with and without a plugin."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "fragile.py").write_text(CRASHING, encoding="utf-8")
    (folder / "mixed.toml").write_text(MIXED, encoding="utf-8")
    public.run_suite(folder / "mixed.toml", folder / "mixed", jobs=1)
    return folder


def alarm(text: str, mark: Path) -> str:
    """The text of a plugin that leaves a file when it is executed."""
    return f"{text}\nimport pathlib\npathlib.Path({str(mark)!r}).touch()\n"


def planted(results: Path, text: str) -> Path:
    """Plugins of the name that the results give, in every place; the file that they leave."""
    mark = Path("executed").absolute()
    for place in (Path(), results, results.parent, results.parent.parent):
        (place / "plugin.py").write_text(alarm(text, mark), encoding="utf-8")
    return mark


def test_reading_executes_no_plugin_that_the_results_name(
    grokbench: Grokbench, reader: Path, results: Path
) -> None:
    mark = planted(results, PLUGIN)
    for code, *command in (
        (0, "score", results),
        (3, "check", results, "--junit-xml", "j.xml", "--summary", "s.md"),
        (0, "report", results, "--figures", "figures"),
        (0, "compare", results, results),
    ):
        told = grokbench(*command)
        assert code == told.exit_code, told.output
        assert not mark.exists(), command
        assert "not loaded: detector 'final_accuracy'" in told.stderr
        assert "names the plugins plugin.py" in told.stderr
        assert "Not judged: hardly_anything." in told.stderr
        for option in ("--suite FILE", "--plugin FILE", "--trust-plugins"):
            assert option in told.stderr
        if command[0] != "report":
            assert "not judged" in told.stdout
    assert 'type="not_judged"' in Path("j.xml").read_text(encoding="utf-8")
    assert "not judged" in Path("s.md").read_text(encoding="utf-8")
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "belongs to a plugin that was not loaded" in page
    assert "Four steps teach next to nothing." in page
    assert page.count("<figure>") == 1
    assert list(Path("figures").iterdir())


@pytest.mark.parametrize("name", ["../../plugin.py", "{here}/plugin.py", "plugin.py"])
def test_wherever_the_results_say_that_the_plugin_is(
    grokbench: Grokbench, reader: Path, name: str
) -> None:
    """The suite says it, and the provenance says where the suite was."""
    elsewhere = Path("below") / "elsewhere"
    elsewhere.mkdir(parents=True)
    (elsewhere / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    suite = elsewhere / "small.toml"
    text = SUITE.replace("plugin.py", name.format(here=reader.absolute()))
    suite.write_text(text, encoding="utf-8")
    assert 0 == grokbench("run", suite, "--out", "out/small", "--jobs", 1).exit_code
    mark = planted(Path("out/small"), PLUGIN)
    (elsewhere / "plugin.py").write_text(alarm(PLUGIN, mark), encoding="utf-8")
    assert 0 == grokbench("score", "out/small").exit_code
    assert not mark.exists()


def test_what_needs_no_plugin_is_read_as_with_the_plugin(
    grokbench: Grokbench, reader: Path, mixed_once: Path
) -> None:
    results, suite = mixed_once / "mixed", mixed_once / "mixed.toml"
    without = grokbench("score", results, "--json")
    whole = grokbench("score", results, "--suite", suite, "--json")
    assert (0, 0) == (without.exit_code, whole.exit_code), without.output
    assert "detector 'final_accuracy', task 'fragile'" in without.stderr
    told, expected = (
        {one["claim"]: one for one in json.loads(result.stdout)["claims"]}
        for result in (without, whole)
    )
    assert ["hardly_anything", "grokking", "second"] == list(told)
    for field in ("outcome", "finding", "cells", "experiments", "detector"):
        assert expected["grokking"][field] == told["grokking"][field]
    for name in ("hardly_anything", "second"):
        assert "reproduced" == expected[name]["outcome"]
        assert "not_judged" == told[name]["outcome"]
        assert expected[name]["cells"] == told[name]["cells"]
        assert "changes" not in told[name]
    assert {"not_judged": 2} == {
        key: count
        for key, count in json.loads(without.stdout)["score"].items()
        if key == "not_judged"
    }
    page = reader / "page.html"
    assert 0 == grokbench("report", results, "--output", page).exit_code
    assert "fragile(modulus=5, split=ordered)" in page.read_text(encoding="utf-8")
    # One of the two plugins is enough for the claims of its detector.
    half = grokbench("score", results, "--plugin", mixed_once / "plugin.py")
    assert "not loaded: task 'fragile' (" in half.stderr
    assert "3 of 3 claims reproduced" in half.stdout


def test_an_unjudged_claim_is_no_change_between_two_results(
    grokbench: Grokbench, reader: Path, mixed_once: Path
) -> None:
    told = grokbench("compare", mixed_once / "mixed", mixed_once / "mixed", "--strict")
    assert 0 == told.exit_code
    assert "0 of 3 verdicts changed." in told.stdout


def test_the_plugins_in_the_folder_of_the_results_can_be_trusted(
    grokbench: Grokbench, reader: Path, results: Path
) -> None:
    (results / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    told = grokbench("score", results, "--trust-plugins")
    assert (0, f"Reading {results} …\n") == (told.exit_code, told.stderr)
    assert "1 of 1 claim reproduced" in told.stdout


@pytest.mark.parametrize("how", ["a link", "a link to the folder", "a file above"])
def test_trust_ends_at_the_folder_of_the_results(
    grokbench: Grokbench,
    reader: Path,
    results: Path,
    tmp_path_factory: pytest.TempPathFactory,
    how: str,
) -> None:
    mark = Path("executed").absolute()
    outside = tmp_path_factory.mktemp("outside") / "plugin.py"
    for place in (outside, Path("plugin.py")):
        place.write_text(alarm(PLUGIN, mark), encoding="utf-8")
    if how == "a link":
        (results / "plugin.py").symlink_to(outside)
    elif how == "a link to the folder":
        moved = results.rename(outside.parent / "small")
        shutil.copy(outside, outside.parent.parent / "plugin.py")
        results.symlink_to(moved)
    told = grokbench("score", results, "--trust-plugins")
    assert 2 == told.exit_code
    assert "plugin 'plugin.py', which the results name" in told.stderr
    assert "--plugin FILE" in told.stderr
    assert not mark.exists()


def test_a_suite_that_is_rejected_is_not_executed(grokbench: Grokbench, suite: Path) -> None:
    mark = Path("executed").absolute()
    Path("plugin.py").write_text(alarm(PLUGIN, mark), encoding="utf-8")
    for old, new in (
        ("steps = 4", "steps = 0"),
        ("seeds = 2", "sedes = 2"),
        ("[claims.hardly_anything]", "[claims.hardly_anything"),
        ('task = { name = "modular_addition"', 'task = { name = "modular_addition", modulo = 5'),
        ('experiment = "addition"', 'experiment = "additoin"'),
    ):
        suite.write_text(SUITE.replace(old, new), encoding="utf-8")
        for command in ("validate", "run", "plan"):
            assert 2 == grokbench(command, suite).exit_code
            assert not mark.exists(), (command, new)
    suite.write_text(SUITE, encoding="utf-8")
    assert 0 == grokbench("validate", suite).exit_code
    assert mark.exists()


def test_the_same_holds_in_python(reader: Path, results: Path) -> None:
    mark = planted(results, PLUGIN)
    tree = public.open_results(results)
    text = public.provenance(tree)["suite"]["text"]
    with pytest.raises(SuiteError, match=r"plugins\[0\]: is not loaded"):
        public.parse_suite(text, "small")
    suite = public.carried_suite(tree)
    assert ("detector 'final_accuracy'",) == suite.plugins.absent()
    (verdict,) = public.score(suite, tree, suite.plugins.detectors)
    assert public.Outcome.NOT_JUDGED is verdict.outcome
    public.write_report(tree, suite, [verdict], "page.html")
    assert public.compare(tree, tree, ([verdict], [verdict])).verdicts
    with pytest.raises(PluginError, match="training needs the code of all definitions"):
        public.run_suite(suite, "out")
    assert not mark.exists()
    own = public.carried_suite(tree, [Path("plugin.py")])
    assert () == own.plugins.absent()
    assert mark.exists()


def test_git_executes_nothing_that_a_repository_configures(
    grokbench: Grokbench, suite: Path
) -> None:
    mark = suite.with_name("executed").absolute()
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (["init", "-q"], ["add", "small.toml"], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], check=True)
    program = suite.with_name("program")
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    Path(".git/hooks/post-index-change").write_bytes(program.read_bytes())
    Path(".git/hooks/post-index-change").chmod(0o755)
    Path(".gitattributes").write_text("*.toml filter=evil diff=evil\n", encoding="utf-8")
    for name, value in {
        "core.fsmonitor": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "diff.evil.textconv": program,
        "diff.evil.command": program,
        "diff.external": program,
        "core.sshCommand": program,
        "core.pager": program,
    }.items():
        subprocess.run(["git", "config", name, str(value)], check=True)
    suite.write_text(SUITE + "# changed\n", encoding="utf-8")
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    assert not mark.exists()
    for name in ("filter.evil.clean", "filter.evil.smudge"):
        subprocess.run(["git", "config", "--unset", name], check=True)
    assert 0 == grokbench("run", suite, "--out", "again", "--jobs", 1).exit_code
    assert not mark.exists()
    told = [
        public.provenance(public.open_results(folder))["sittings"][0]["git"]
        for folder in ("results/small", "again")
    ]
    assert [None, True] == [git["dirty"] for git in told]
    assert {40} == {len(git["revision"]) for git in told}
