"""`score` and `report`: the commands that start from results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Grokbench = Callable[..., Result]


@pytest.fixture
def trained(grokbench: Grokbench, suite: Path) -> Path:
    """The results folder of the small suite."""
    assert grokbench("run", suite, "--jobs", 1).exit_code == 0
    return Path("results/small")


def test_score_says_what_run_said(grokbench: Grokbench, trained: Path, suite: Path) -> None:
    told = grokbench("run", suite, "--jobs", 1).stdout
    for results in (trained, trained / "small.nc"):
        scored = grokbench("score", results)
        assert scored.exit_code == 0
        assert scored.stdout in told


def test_a_claim_that_is_not_reproduced_is_explained(
    grokbench: Grokbench, trained: Path, suite: Path
) -> None:
    """The words of the detector come out as they are, square brackets and all."""
    assert "seen [once]" not in grokbench("score", trained).stdout
    suite.write_text(suite.read_text().replace("at_most = 1.0", "at_most = -1.0"))
    told = grokbench("score", trained, "--suite", suite).stdout
    assert "not reproduced" in told
    assert "hardly_anything: seen [once]" in told


def test_score_as_json_is_the_stored_verdicts(grokbench: Grokbench, trained: Path) -> None:
    stored = json.loads((trained / "verdicts.json").read_text(encoding="utf-8"))
    assert stored == json.loads(grokbench("score", trained, "--json").stdout)


def test_score_can_judge_by_another_suite(grokbench: Grokbench, trained: Path, suite: Path) -> None:
    stricter = suite.with_name("stricter.toml")
    stricter.write_text(suite.read_text().replace("at_most = 1.0", "at_most = -1.0"))
    scored = json.loads(grokbench("score", trained, "--suite", stricter, "--json").stdout)
    assert scored["claims"][0]["outcome"] == "not_reproduced"


def test_damaged_results_are_a_message(grokbench: Grokbench, trained: Path) -> None:
    path = trained / "small.nc"
    path.write_bytes(path.read_bytes()[:-100])
    for command in ("score", "report"):
        result = grokbench(command, trained)
        assert result.exit_code == 2
        assert "damaged" in result.stderr


def test_report_writes_one_page_beside_the_dataset(grokbench: Grokbench, trained: Path) -> None:
    result = grokbench("report", trained)
    assert result.exit_code == 0, result.output
    page = trained / "report.html"
    assert f"{page}\n" == result.stdout
    assert "hardly_anything" in page.read_text(encoding="utf-8")


def test_report_goes_where_it_is_told(grokbench: Grokbench, trained: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures"
    result = grokbench("report", trained / "small.nc", "-o", page, "--figures", figures)
    assert result.exit_code == 0, result.output
    assert page.is_file()
    assert list(figures.iterdir())


def test_report_says_where_else_to_write(
    grokbench: Grokbench, trained: Path, tmp_path: Path
) -> None:
    (trained / "report.html").mkdir()
    result = grokbench("report", trained)
    assert result.exit_code == 2
    assert "report.html: could not be written" in result.stderr
    assert "name another file, such as --output report.html" in result.stderr
    assert grokbench("report", trained, "--output", tmp_path / "page.html").exit_code == 0
