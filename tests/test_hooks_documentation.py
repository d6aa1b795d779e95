"""Every hook has a page in docs/hooks. Its example runs, and its mistakes give the quoted messages."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from grokbench import (
    Drawing,
    Examples,
    Finding,
    Plugins,
    SuiteError,
    hookspecs,
    load_suite,
    run_suite,
)
from grokbench.cli import cli
from grokbench.cli.group import CommandLine
from grokbench.testing import CheckOutcome, checks_of_plugin
from grokbench.testing.conformance.checks import KINDS
from tests.documented import Mistake, mistakes, one_line, saved, written

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "hooks"
HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]
FIGURE = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
CONTRACTS = {"register_tasks": [Examples], "register_detectors": [Finding, Drawing]}
"""The classes that definitions return. Their fields are part of the hook's contract."""


def page(hook: str) -> Path:
    return PAGES / f"{hook}.md"


DOCUMENTED = [hook for hook in HOOKS if page(hook).exists()]


def kind_of(hook: str) -> str:
    return hook.removeprefix("register_").removesuffix("s")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for examples. Packages in it are importable, and their modules are removed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == tmp_path:
            del sys.modules[name]


def plugin_of(files: dict[str, str]) -> str:
    """The name by which the kit knows an example's plugin: its package, or its single file."""
    if "pyproject.toml" in files:
        return re.findall(r'^name = "(.+)"$', files["pyproject.toml"], re.MULTILINE)[0]
    (module,) = [name for name, text in files.items() if "@hookimpl" in text]
    return module


def suite_of(files: dict[str, str]) -> str:
    (suite,) = [name for name, text in files.items() if "[experiments." in text]
    return suite


def command_line() -> CommandLine:
    """grokbench's own commands, in a new group to which a plugin may add commands."""
    return CommandLine("grokbench", commands=dict(cli.commands))


def test_every_page_is_a_hooks() -> None:
    assert [] == sorted({path.stem for path in PAGES.glob("*.md")} - set(HOOKS))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_page_with_an_example_a_suite_and_mistakes(hook: str) -> None:
    assert page(hook).exists(), f"write docs/hooks/{hook}.md"
    files = saved(page(hook))
    assert any(f"def {hook}(" in text for text in files.values())
    assert suite_of(files)
    assert mistakes(page(hook))


@pytest.mark.parametrize("hook", DOCUMENTED)
def test_the_example_registers_something_and_its_suite_comes_out_as_expected(
    hook: str, folder: Path
) -> None:
    files = saved(page(hook))
    written(files, folder)
    suite = load_suite(folder / suite_of(files))
    origins = suite.plugins.origins(command_line())
    (mine,) = [one for one in origins if Path(one.name).name == plugin_of(files)]
    assert mine.error is None
    assert any(what.startswith(f"{kind_of(hook)} ") for what in mine.registers)
    sitting = run_suite(folder / suite_of(files), folder / "results" / suite.name, jobs=1)
    assert (len(suite.runs()), 0) == (sitting.trained, sitting.failed)
    assert [] == [verdict for verdict in sitting.verdicts if not verdict.expected]


@pytest.mark.parametrize("hook", DOCUMENTED)
def test_the_example_conforms(hook: str, folder: Path) -> None:
    """Except for the checks that need a process of their own, such as the duration of the import."""
    files = saved(page(hook))
    written(files, folder)
    checks = checks_of_plugin(plugin_of(files), cli=command_line())
    apart = ("imports_soon", "imports_without_a_trace")
    results = [one.result() for one in checks if one.name not in apart]
    assert [] == [str(one) for one in results if one.outcome is CheckOutcome.FAILED]


@pytest.mark.parametrize(
    ("hook", "mistake"),
    [(hook, mistake) for hook in DOCUMENTED for mistake in mistakes(page(hook))],
    ids=lambda one: getattr(one, "right", one),
)
def test_a_mistake_is_told_in_the_words_of_the_page(
    hook: str, mistake: Mistake, folder: Path
) -> None:
    """The numbers in the messages may differ, because they depend on machine and versions."""
    files = mistake.made_in(saved(page(hook)))
    written(files, folder)
    told = one_line(words_of(mistake.teller, files, folder))
    told = told.replace(f"{folder.resolve()}/", "")
    assert FIGURE.sub("0", mistake.message) == FIGURE.sub("0", told)


def words_of(teller: str, files: dict[str, str], folder: Path) -> str:
    """The message of a command, or of the check with this name, about an example with a mistake."""
    if teller == "grokbench list plugins":
        plugins = Plugins([folder / plugin_of(files)] if "pyproject.toml" not in files else [])
        errors = [one.error for one in plugins.origins(command_line())
                  if Path(one.name).name == plugin_of(files)]  # fmt: skip
        return str(next(filter(None, errors)))
    if teller == "grokbench validate":
        with pytest.raises(SuiteError) as caught:
            load_suite(folder / suite_of(files))
        return str(caught.value.mistakes[0])
    if teller == "grokbench run":
        sitting = run_suite(folder / suite_of(files), folder / "out", jobs=1)
        if sitting.failed:
            (tree,) = sitting.tree.children.values()
            return str(tree["message"].to_numpy().ravel()[0])
        return sitting.verdicts[0].reason
    checks = checks_of_plugin(plugin_of(files), cli=command_line())
    (check,) = [one for one in checks if one.name == teller]
    return check.result().message


@pytest.mark.parametrize("hook", [hook for hook in DOCUMENTED if kind_of(hook) in KINDS])
def test_a_page_names_all_that_the_contract_does(hook: str) -> None:
    module, base = KINDS[kind_of(hook)]
    contract = getattr(importlib.import_module(module), base)
    members = {name for name in (*vars(contract), *contract.__annotations__) if name[0] != "_"}
    for made in CONTRACTS.get(hook, []):
        members |= set(made.__annotations__)
    text = page(hook).read_text(encoding="utf-8")
    assert [] == sorted(name for name in members if not re.search(rf"`{name}\b", text))


@pytest.mark.parametrize("hook", DOCUMENTED)
def test_every_link_of_a_page_leads_somewhere(hook: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page(hook).read_text(encoding="utf-8"))
    assert any(link.endswith("conformance.md") for link in links)
    assert [] == [link for link in links if not (PAGES / link).exists()]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_exercised_by_the_plugin_of_another_test(hook: str) -> None:
    """In a plugin of another test; the examples of the documents do not count."""
    others = set((ROOT / "tests").rglob("*.py")) - {Path(__file__)}
    texts = [path.read_text(encoding="utf-8") for path in others]
    assert any(re.search(rf"^\s*def {hook}\(", text, re.MULTILINE) for text in texts)


def test_the_documented_command_prints_what_its_page_shows(folder: Path) -> None:
    written(saved(page("register_commands")), folder)
    run_suite(folder / "little.toml", folder / "results/little", jobs=1)
    said = CliRunner().invoke(command_line(), ["finished", "results/little"])
    assert 0 == said.exit_code
    assert f"\n    {said.output}" in page("register_commands").read_text(encoding="utf-8")
