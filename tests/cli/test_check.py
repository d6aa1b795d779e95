"""`grokbench check`: exit codes, the JUnit file and the summary, on results doctored to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from tests.cli.conftest import CRASHING

Grokbench = Callable[..., Result]

CLAIM = """
[claims.{name}]
statement = "The share of right answers is {rule}, <as a rule> & not \\u0007 always."
detector = "final_accuracy"
experiment = "addition"
rule = {{ {rule} }}
minimum_seeds = {seeds}
expect = "{expect}"
"""

HOLDS, FAILS = "at_most = 1.0", "at_least = 1.1"


@pytest.fixture
def claiming(suite: Path) -> Callable[..., Path]:
    """Write a suite with these claims: name → rule, or (rule, what is expected, minimum seeds)."""

    def write(**claims: str | tuple[str, str, int]) -> Path:
        text = suite.read_text(encoding="utf-8").split("[claims.")[0]
        for name, given in claims.items():
            rule, expect, seeds = (given, "reproduced", 2) if isinstance(given, str) else given
            text += CLAIM.format(name=name, rule=rule, expect=expect, seeds=seeds)
        path = suite.with_name("claiming.toml")
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_all_as_expected_is_0(grokbench: Grokbench, results: Path) -> None:
    told = grokbench("check", results)
    assert 0 == told.exit_code
    assert "1 of 1 claim reproduced" in told.stdout


@pytest.mark.parametrize("wrong", ["one", "two", "three"])
def test_each_claim_that_fails_is_1_and_named(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path], wrong: str
) -> None:
    rules = {name: FAILS if name == wrong else HOLDS for name in ("one", "two", "three")}
    told = grokbench("check", results, "--suite", claiming(**rules))
    assert 1 == told.exit_code
    assert f"{wrong}: expected to be reproduced, came out not reproduced" in told.stdout
    assert 1 == told.stdout.count("expected to be")


def test_a_known_failure_is_no_surprise_and_its_end_is_one(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    known = claiming(known=(FAILS, "not reproduced", 2))
    assert 0 == grokbench("check", results, "--suite", known).exit_code
    ended = claiming(known=(HOLDS, "not reproduced", 2))
    told = grokbench("check", results, "--suite", ended)
    assert 1 == told.exit_code
    assert "known: expected to be not reproduced, came out reproduced" in told.stdout


def test_missing_seeds_are_3(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    path = claiming(enough=HOLDS, too_few=(HOLDS, "reproduced", 9))
    told = grokbench("check", results, "--suite", path)
    assert 3 == told.exit_code
    assert "2 seeds, but the claim asks for at least 9" in told.stdout


def test_a_failure_says_more_than_missing_seeds(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    path = claiming(fails=FAILS, too_few=(HOLDS, "reproduced", 9))
    assert 1 == grokbench("check", results, "--suite", path).exit_code


def test_what_the_suite_asks_beyond_the_results_is_missing(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    """Although the claim holds on the trained seeds: the suite fixes the number of seeds in advance."""
    path = claiming(holds=HOLDS)
    path.write_text(path.read_text(encoding="utf-8").replace("seeds = 2\n", "seeds = 3\n", 1))
    told = grokbench("check", results, "--suite", path, "--junit-xml", "j.xml", "--summary", "s.md")
    assert 3 == told.exit_code
    assert "1 of 1 claim reproduced" in told.stdout
    missing = "4 runs of the 12 that the claims look at are missing"
    assert missing in told.stderr
    assert {"holds": None, "runs behind the claims": "not_run"} == failures("j.xml")
    assert f"- **{missing}**" in Path("s.md").read_text(encoding="utf-8")


def test_what_another_recipe_trained_is_not_what_the_suite_asks_for(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    path = claiming(holds=HOLDS)
    path.write_text(path.read_text(encoding="utf-8").replace("steps = 4", "steps = 6"))
    told = grokbench("check", results, "--suite", path)
    assert 3 == told.exit_code
    assert "holds: expected to be reproduced, came out not run" in told.stdout


def test_results_that_are_not_there_yet_are_3(grokbench: Grokbench, suite: Path) -> None:
    assert grokbench("run", suite, "--jobs", 1, "--seeds", 1).exit_code == 0
    assert 3 == grokbench("check", "results/small").exit_code


@pytest.mark.parametrize(
    ("rule", "seeds", "expected"), [(HOLDS, 9, 4), (HOLDS, 2, 4), (FAILS, 2, 1)]
)
def test_crashed_runs_are_4_unless_a_claim_fails(
    grokbench: Grokbench, suite: Path, rule: str, seeds: int, expected: int
) -> None:
    suite.with_name("fragile.py").write_text(CRASHING, encoding="utf-8")
    text = suite.read_text(encoding="utf-8").replace('"plugin.py"', '"plugin.py", "fragile.py"')
    text = text.replace("modular_addition", "fragile").replace(HOLDS, rule)
    suite.write_text(text.replace("minimum_seeds = 2", f"minimum_seeds = {seeds}"))
    assert 4 == grokbench("run", suite, "--jobs", 1).exit_code
    told = grokbench("check", "results/small", "--junit-xml", "j.xml", "--summary", "s.md")
    assert expected == told.exit_code
    assert "4 runs crashed: the dataset's variable `message` says why" in told.stderr
    assert "crashed" == failures("j.xml")["runs behind the claims"]
    assert "- **4 runs crashed**" in Path("s.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_file_is_2(grokbench: Grokbench, results: Path, damage: str) -> None:
    path = results / "small.nc"
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        del content[-100:]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)
    told = grokbench("check", results)
    assert 2 == told.exit_code
    assert "altered or damaged" in told.stderr


ALLOWED = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"}
        | {"hostname", "id", "package", "file", "log", "url", "version"},
    ),
    "testcase": (
        {"skipped", "failure", "system-out", "system-err"},
        {"name", "time", "classname", "group"},
    ),
    "failure": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}
"""Element → its children and attributes, as the Jenkins xUnit plugin's schema (junit-10.xsd) has
them, as far as they are used here."""


def failures(file: str) -> dict[str, str | None]:
    """Name of each test case of a JUnit file → the type of its failure, if it is one."""
    cases = ET.parse(file).getroot().iter("testcase")  # noqa: S314 (it was written a line ago)
    found = {case.attrib["name"]: case.find("failure") for case in cases}
    return {name: None if wrong is None else wrong.attrib["type"] for name, wrong in found.items()}


def test_the_junit_file_has_a_case_a_claim_in_the_xunit2_layout(
    grokbench: Grokbench, results: Path, claiming: Callable[..., Path]
) -> None:
    path = claiming(holds=HOLDS, fails=FAILS, open=(HOLDS, "reproduced", 9))
    grokbench("check", results, "--suite", path, "--junit-xml", "junit.xml")
    root = ET.parse("junit.xml").getroot()  # noqa: S314 (it was written a line ago)
    for element in root.iter():
        children, attributes = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children
        assert element.attrib.keys() <= attributes
    (listed,) = root
    assert ("4", "2", "0") == tuple(listed.attrib[key] for key in ("tests", "failures", "errors"))
    kinds = {"holds": None, "fails": "not_reproduced", "open": "undecided"}
    assert {**kinds, "runs behind the claims": None} == failures("junit.xml")
    told = next(case for case in listed if case.attrib["name"] == "fails")[0]
    assert "<as a rule> & not \ufffd always" in (told.text or "")
    assert "seen [once]" in (told.text or "")


def test_a_github_step_shows_the_summary_after_what_is_there(
    grokbench: Grokbench, results: Path, tmp_path: Path
) -> None:
    step = tmp_path / "step.md"
    step.write_text("# Before\n", encoding="utf-8")
    grokbench("check", results, GITHUB_STEP_SUMMARY=str(step))
    told = step.read_text(encoding="utf-8")
    assert told.startswith("# Before\n## A suite for tests\n")
    assert "| Four steps teach next to nothing. |" in told
    grokbench("check", results, "--summary", "own.md", GITHUB_STEP_SUMMARY=str(step))
    assert told == step.read_text(encoding="utf-8")
    assert Path("own.md").read_text(encoding="utf-8") in told


def test_as_json_it_prints_the_verdicts_alone(grokbench: Grokbench, results: Path) -> None:
    told = grokbench("check", results, "--json")
    assert "as_expected" in json.loads(told.stdout)["claims"][0]
