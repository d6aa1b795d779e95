from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Grokbench = Callable[..., Result]


def test_a_sound_suite_is_counted(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("validate", suite)
    assert result.exit_code == 0
    assert f"{suite}: no mistakes; 1 experiment, 8 runs, 1 claim\n" == result.stdout


def test_every_mistake_is_shown_at_once_with_its_place(grokbench: Grokbench, suite: Path) -> None:
    text = suite.read_text(encoding="utf-8")
    for right, wrong in (
        ("steps = 4", "step = 4"),
        ('"modular_addition"', '"modular_adition"'),
        ('recipe = "short"', 'recipe = "shrot"'),
        ("data_sizes = [10, 15]", "data_sizes = [0]"),
        ('experiment = "addition"', 'experiment = "adition"'),
    ):
        assert right in text
        text = text.replace(right, wrong)
    suite.write_text(text, encoding="utf-8")
    result = grokbench("validate", suite)
    assert result.exit_code == 2
    for place in (
        "recipes.short.step",
        "experiments.addition.task",
        "experiments.addition.recipe",
        "experiments.addition.data_sizes[0]",
        "claims.hardly_anything.experiment",
    ):
        assert place in result.stderr
    assert list(suite.parent.glob("results*")) == []


def test_a_file_that_is_not_there_is_a_usage_error(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("validate", "no_such_suite.toml")
    assert result.exit_code == 2
    assert "no_such_suite.toml" in result.stderr
