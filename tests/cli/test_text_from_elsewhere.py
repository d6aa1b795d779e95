"""One suite, one plugin and their results, full of text that would act: no output lets it act."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

import grokbench as public
from grokbench.cli.console import console, styled, table
from grokbench.testing.claims_as_tests import explained

Grokbench = Callable[..., Result]

NASTY = (
    "\x1b[31mred\x1b]0;title\x07\x9b1m\r\n::error::forged\n##[error]forged ##vso[task.complete]\n"
    "| cell | <script>alert(1)</script> [bold]b[/bold] [link](javascript:x) `code` *em* "
    '$\\frac$ \u202egnp.exe\u2028 id="x" url(#y) & aten::mm'
)

PLUGIN = f"""
import grokbench
from grokbench.tasks.modular import ModularAddition

NASTY = {NASTY!r}


class Fragile(ModularAddition):
    __doc__ = NASTY

    name = "fragile"

    def examples(self, data_size, streams):
        if data_size == 15:
            raise ValueError(NASTY)
        return super().examples(data_size, streams)


class Nasty(grokbench.Detector):
    __doc__ = NASTY

    name = "nasty"

    def find(self, data):
        return grokbench.Finding(0.0, 0.0, 0.0, NASTY, 2, NASTY, {{NASTY: NASTY}})

    def warning(self, lengths):
        return NASTY

    def figure(self, data, finding):
        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.subplots()
        axes.set_title('id="a" url(#b) <b> & href="#c"')
        axes.set_xlabel(NASTY, parse_math=False)
        axes.plot([1, 2])[0].set_url("javascript:alert(1)")
        axes.plot([2, 1])[0].set_url("https://example.org/?a=1&b=2")
        axes.scatter([1, 2], [1, 2]).set_urls(["javascript:alert(2)", "data:text/html,x"])
        axes.imshow([[1.0, 2.0], [3.0, 4.0]])
        return grokbench.Drawing(figure, NASTY, NASTY, NASTY)


class Silent(Nasty):
    name = "silent"

    def find(self, data):
        raise RuntimeError(NASTY)

    figure = grokbench.Detector.figure


@grokbench.hookimpl
def register_tasks(register):
    register(Fragile)


@grokbench.hookimpl
def register_detectors(register):
    register(Nasty)
    register(Silent)
"""

CLAIM = """
statement = NASTY
source = NASTY
calibrated_on = NASTY
experiment = "addition"
minimum_seeds = 2
"""

SUITE = f"""
title = NASTY
citation = NASTY
plugins = ["nasty.py"]

[experiments.addition]
title = NASTY
task = {{ name = "fragile", modulus = 5 }}
architecture = "dense"
recipe = {{ optimizer = "adamw", steps = 2 }}
model_sizes = [4, 8]
data_sizes = [10, 15]
seeds = 2

[claims.found]
detector = "nasty"
rule = {{ at_least = 1.0 }}
{CLAIM}
[claims.failed]
detector = "silent"
rule = {{ at_least = 1.0 }}
{CLAIM}
[claims.curves]
detector = "dynamics"
rule = {{ at_least = 0.9 }}
{CLAIM}
""".replace("= NASTY", f"= {json.dumps(NASTY)}")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nasty")
    (folder / "nasty.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "nasty.toml").write_text(SUITE, encoding="utf-8")
    public.run_suite(folder / "nasty.toml", folder / "results" / "nasty", jobs=1)
    return folder


@pytest.fixture
def nasty(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has the suite, its plugin and its results."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def assert_plain(text: str) -> None:
    """No character is unseen, and no line is a command to a CI server."""
    assert [] == re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", text)
    assert "##[" not in text
    assert "##vso[" not in text
    for line in text.split("\n"):
        assert not line.strip().startswith(("::", "forged")), line


@pytest.mark.parametrize(
    "command",
    [
        ["run", "nasty.toml", "--jobs", 1],
        ["run", "nasty.toml", "--jobs", 1, "--out", "again"],
        ["plan", "nasty.toml", "--no-measure"],
        ["validate", "nasty.toml"],
        ["list", "suites"],
        ["list", "detectors", "--plugin", "nasty.py"],
        ["list", "tasks", "--plugin", "nasty.py", "--json"],
        ["score", "results/nasty"],
        ["score", "results/nasty", "--suite", "nasty.toml"],
        ["check", "results/nasty", "--suite", "nasty.toml"],
        ["compare", "results/nasty", "results/nasty", "--suite", "nasty.toml"],
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_a_terminal_and_a_log_show_it(
    grokbench: Grokbench, nasty: None, command: list[object]
) -> None:
    told = grokbench(*command, COLUMNS="80")
    assert told.exit_code in (0, 1, 3, 4), told.output
    assert_plain(told.stdout)
    assert_plain(told.stderr)
    if "--json" in command:
        json.loads(told.stdout)


def test_it_is_shown_and_not_swallowed(grokbench: Grokbench, nasty: None) -> None:
    told = grokbench("score", "results/nasty", "--suite", "nasty.toml", COLUMNS="2000").stdout
    assert "\\x1b[31mred\\x1b]0;title\\x07\\x9b1m\\r\\n:\\x3aerror:\\x3aforged" in told
    assert "[bold]b[/bold] [link](javascript:x)" in told
    scored = grokbench("score", "results/nasty", "--suite", "nasty.toml", "--json").stdout
    assert_plain(scored)
    assert NASTY == json.loads(scored)["claims"][0]["statement"]


def test_markdown_shows_it(grokbench: Grokbench, nasty: None) -> None:
    told = grokbench("check", "results/nasty", "--suite", "nasty.toml", "--summary", "s.md")
    assert 1 == told.exit_code
    text = Path("s.md").read_text(encoding="utf-8")
    assert_plain(text)
    assert "<script" not in text
    assert "](javascript" not in re.sub(r"\\.", "", text)
    assert [] == re.findall(r"(?<!\\)[`$]|(?<!\\)\[(?:bold|link)", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert 5 == len(rows)
    assert {8} == {len(re.split(r"(?<!\\)\|", row)) for row in rows}
    assert 1 == sum(line.startswith("#") for line in text.splitlines())
    assert r"&lt;script&gt;alert(1)&lt;/script&gt; \[bold\]b\[/bold\]" in text


def test_junit_shows_it(grokbench: Grokbench, nasty: None) -> None:
    grokbench("check", "results/nasty", "--suite", "nasty.toml", "--junit-xml", "j.xml")
    content = Path("j.xml").read_bytes()
    assert b"\x1b" not in content
    root = ET.fromstring(content)  # noqa: S314 (grokbench has written it)
    cases = root.findall("testsuite/testcase")
    assert ["found", "failed", "curves"] == [case.get("name") for case in cases][:3]
    assert "<script>alert(1)</script>" in (cases[0].findtext("failure") or "")


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Font")
def test_the_page_and_the_figures_show_it(grokbench: Grokbench, nasty: None) -> None:
    told = grokbench("report", "results/nasty", "--suite", "nasty.toml", "--figures", "figures")
    assert 0 == told.exit_code, told.output
    page = (Path("results/nasty") / "report.html").read_text(encoding="utf-8")
    assert [] == re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]", page.replace("\ufffd", ""))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    links = re.findall(r'href="([^"#][^"]*)"', page)
    images = [link for link in links if link.startswith("data:image/png;base64,")]
    assert ["https://example.org/?a=1&amp;b=2"] == [one for one in links if one not in images]
    assert images
    assert 3 == page.count("<figure>")
    # The text of a label is no identifier, and every reference leads to one.
    assert '>id="a" url(#b) &lt;b&gt; &amp; href="#c"</text>' in page
    identifiers = set(re.findall(r'<[^>]*\bid="([^"]*)"', page))
    references = re.findall(r'<[^<>]*\b(?:href="#|(?:clip-path|style)="[^"]*url\(#)([^")]*)', page)
    assert references
    assert set(references) <= identifiers
    for figure in Path("figures").glob("*.svg"):
        assert "javascript:alert" not in figure.read_text(encoding="utf-8")


def test_pytest_shows_it(nasty: None) -> None:
    suite = public.load_suite("nasty.toml")
    tree = public.open_results("results/nasty")
    verdicts = public.score(suite, tree, suite.plugins.detectors)
    sitting = SimpleNamespace(tree=tree, folder=Path("results/nasty"), lost=(NASTY,))
    for verdict in verdicts:
        told = explained(verdict, sitting)  # type: ignore[arg-type]
        assert_plain(told)
        assert "\\x1b[31mred" in told


FORGED = "x\\nnasty.toml: no mistakes; 1 experiment, 1 run, 1 claim\\u001b[8m"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[claims.found]", f'[claims."{FORGED}"]'),
        ("[experiments.addition]", f'[experiments."{FORGED}"]'),
        ("seeds = 2", f'seeds = 2\n"{FORGED}" = 1'),
        ('detector = "nasty"', f'detector = "{FORGED}"'),
        ('"dense"', f'{{ name = "dense", "{FORGED}" = 1 }}'),
        ("rule = { at_least = 1.0 }", f'where = {{ "{FORGED}" = 1 }}\nrule = {{ at_least = 1.0 }}'),
        ('plugins = ["nasty.py"]', f'plugins = ["nasty.py", "{FORGED}"]'),
        ("title = ", f'name = "{FORGED}"\ntitle = '),
    ],
)
def test_a_key_cannot_forge_a_line(grokbench: Grokbench, nasty: None, old: str, new: str) -> None:
    path = Path("nasty.toml")
    path.write_text(SUITE.replace(old, new, 1), encoding="utf-8")
    for command in (["validate", path], ["run", path], ["score", "results/nasty", "--suite", path]):
        told = grokbench(*command)
        assert 2 == told.exit_code
        assert_plain(told.stderr)
        assert "no mistakes" in told.stderr
        assert not any(line.startswith("nasty.toml: no") for line in told.stderr.splitlines())


def test_a_table_and_a_coloured_cell_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    listed = table(NASTY)
    listed.add_row(NASTY)
    listed.add_row(styled(NASTY, "bold red"))
    out = console()
    out.print(listed)
    out.print(NASTY)
    assert_plain(capsys.readouterr().out)
