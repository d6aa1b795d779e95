"""The study of forecasts: what is compared, and that the document has its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studies import outlook

ROOT = Path(__file__).parents[2]


def test_only_experiments_that_are_undecided_are_predicted() -> None:
    found = outlook.forecasts(outlook.WORLDS[0], 5, 2)
    assert len(found.predicted) == len(found.taken) <= 2
    assert (found.predicted > 5).all()
    assert (found.taken > 5).all()


def test_two_missing_numbers_agree_and_one_does_not() -> None:
    found = outlook.Forecasts(np.array([np.inf, 10, np.inf]), np.array([np.inf, np.inf, 20]))
    assert [1.0, 0.0, np.inf] == found.ratios.tolist()
    assert "1.00 [0.00–∞]" == outlook.quartiles(found.ratios, 2)
    assert "10 [10–10]" == outlook.quartiles(np.array([10.0]))


@pytest.mark.parametrize("world", outlook.WORLDS, ids=lambda world: world.words)
def test_the_document_has_a_line_for_each_world(world: outlook.World) -> None:
    _, table, _ = outlook.MARKS.split(ROOT / "docs" / "suites.md")
    assert f"| `{world.detector}` | {world.words} |" in table
