"""`score` and `report`: the commands that start from results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Grokbench = Callable[..., Result]


def test_score_says_what_run_said(grokbench: Grokbench, results: Path, suite: Path) -> None:
    told = grokbench("run", suite, "--jobs", 1).stdout
    for path in (results, results / "small.nc"):
        scored = grokbench("score", path)
        assert scored.exit_code == 0
        assert scored.stdout in told


def test_a_claim_that_is_not_reproduced_is_explained(
    grokbench: Grokbench, results: Path, suite: Path
) -> None:
    """The detector's evidence is printed unchanged: rich does not read its square brackets."""
    assert "seen [once]" not in grokbench("score", results).stdout
    suite.write_text(suite.read_text().replace("at_most = 1.0", "at_most = -1.0"))
    told = grokbench("score", results, "--suite", suite).stdout
    assert "not reproduced" in told
    assert "hardly_anything: seen [once]" in told


def test_score_as_json_is_the_stored_verdicts(grokbench: Grokbench, results: Path) -> None:
    stored = json.loads((results / "verdicts.json").read_text(encoding="utf-8"))
    assert stored == json.loads(grokbench("score", results, "--json").stdout)


def test_score_can_judge_by_another_suite(grokbench: Grokbench, results: Path, suite: Path) -> None:
    stricter = suite.with_name("stricter.toml")
    stricter.write_text(suite.read_text().replace("at_most = 1.0", "at_most = -1.0"))
    scored = json.loads(grokbench("score", results, "--suite", stricter, "--json").stdout)
    assert scored["claims"][0]["outcome"] == "not_reproduced"


def test_damaged_results_are_a_message(grokbench: Grokbench, results: Path) -> None:
    path = results / "small.nc"
    path.write_bytes(path.read_bytes()[:-100])
    for command in ("score", "report"):
        result = grokbench(command, results)
        assert result.exit_code == 2
        assert "damaged" in result.stderr


def test_report_writes_one_page_beside_the_dataset(grokbench: Grokbench, results: Path) -> None:
    result = grokbench("report", results)
    assert result.exit_code == 0, result.output
    page = results / "report.html"
    assert f"{page}\n" == result.stdout
    assert "hardly_anything" in page.read_text(encoding="utf-8")


def test_report_goes_where_it_is_told(grokbench: Grokbench, results: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures"
    result = grokbench("report", results / "small.nc", "-o", page, "--figures", figures)
    assert result.exit_code == 0, result.output
    assert page.is_file()
    assert list(figures.iterdir())


def test_report_says_where_else_to_write(
    grokbench: Grokbench, results: Path, tmp_path: Path
) -> None:
    (results / "report.html").mkdir()
    result = grokbench("report", results)
    assert result.exit_code == 2
    assert "report.html: could not be written" in result.stderr
    assert "name another file, such as --output report.html" in result.stderr
    assert grokbench("report", results, "--output", tmp_path / "page.html").exit_code == 0
