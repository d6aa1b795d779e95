"""The table in docs/recipe.md is what the study reads off the stored sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

import grokbench
from studies import recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_documented_sweep_is_what_the_results_say() -> None:
    document = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert recipe.sweep(grokbench.open_results(ROOT / "results" / "recipe")) in document
