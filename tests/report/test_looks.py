"""The figure of the looks of a sequential suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokbench.claims import score
from grokbench.errors import NotEnoughDataError
from grokbench.report import save_figures, write_report
from grokbench.report.figures.looks import looks
from tests.claims.test_looks import Mean, claim, results


def test_the_page_shows_the_interval_of_every_look(tmp_path: Path) -> None:
    claims = [claim("high", 8), claim("close", 16), claim("low", 32)]
    suite, tree = results({8: 0.9, 16: 0.5, 32: 0.01}, claims, {8: 5, 16: 8, 32: 5})
    verdicts = score(suite, tree, {"mean": Mean})
    page = write_report(tree, suite, verdicts, tmp_path / "report.html").read_text()
    assert "The looks at each claim" in page
    drawing = looks(verdicts)
    assert 2 == len(drawing.figure.axes), "no panel for a claim without an interval"
    high, close = drawing.alternative.split("; close")
    assert high.startswith("high (rule ≥ 0.5): ")
    assert high.endswith("with 5 seeds; reproduced")
    assert ("with 5 seeds" in close, "with 8 seeds" in close) == (True, True)
    for panel, verdict in zip(drawing.figure.axes, verdicts, strict=False):
        labels = [label.get_text() for label in panel.get_xticklabels()]
        assert [str(look.seeds) for look in verdict.looks] == labels
    assert tmp_path / "figures" / "looks.svg" in save_figures(
        tree, verdicts, tmp_path / "figures", ["svg"]
    )


def test_without_looks_there_is_no_such_figure(tmp_path: Path) -> None:
    suite, tree = results({8: 0.01}, [claim("low", 8)], {})
    verdicts = score(suite, tree, {"mean": Mean})
    with pytest.raises(NotEnoughDataError, match="no claim has an interval"):
        looks(verdicts)
    page = write_report(tree, suite, verdicts, tmp_path / "report.html").read_text()
    assert "The looks at each claim" not in page
