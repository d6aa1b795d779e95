from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
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


DIP = """
[claims.dips]
statement = "Accuracy dips."
detector = {{ name = "double_descent", width = {width} }}
experiment = "addition"
where = {{ model_size = [{selected}] }}
rule = {{ at_least = 0.1 }}
minimum_seeds = {minimum}
"""
MANY = range(4, 40, 4)


@pytest.mark.parametrize(
    ("width", "selected", "warned"),
    [(3, MANY[:8], True), (1, MANY[:8], False), (3, MANY, False)],
)
def test_a_dip_wider_than_the_grid_is_warned_of_and_no_mistake(
    grokbench: Grokbench, suite: Path, width: int, selected: range, warned: bool
) -> None:
    text = suite.read_text(encoding="utf-8").replace("[4, 8]", str(list(MANY)))
    chosen = ", ".join(map(str, selected))
    text += DIP.format(width=width, selected=chosen, minimum=2)
    suite.write_text(text, encoding="utf-8")
    result = grokbench("validate", suite)
    assert result.exit_code == 0
    assert "no mistakes" in result.stdout
    first, *warnings = result.stderr.splitlines()
    assert f"Reading {suite} …" == first
    assert warned == bool(warnings)
    assert all(
        one.startswith("warning: claims.dips.detector: a dip 3 sizes wide") for one in warnings
    )


def test_a_claim_that_the_grid_must_leave_undecided_is_warned_of(
    grokbench: Grokbench, suite: Path
) -> None:
    text = suite.read_text(encoding="utf-8") + DIP.format(width=1, selected="4, 8", minimum=5)
    suite.write_text(text, encoding="utf-8")
    told = grokbench("validate", suite).stderr
    assert "claims.dips.detector: a dip takes 3 model sizes, and the grid has 2" in told
    assert (
        "claims.dips.minimum_seeds: is 5, but the grid has 2 seeds: the claim stays undecided"
        in told
    )


@pytest.mark.parametrize(("sizes", "warned"), [("16", True), ("[5, 15, 99]", True), ("15", False)])
def test_a_batch_that_is_larger_than_all_data_is_warned_of(
    grokbench: Grokbench, suite: Path, sizes: str, warned: bool
) -> None:
    text = suite.read_text(encoding="utf-8")
    suite.write_text(text.replace("steps = 4", f"steps = 4\nbatch_size = {sizes}"), "utf-8")
    told = grokbench("validate", suite)
    assert 0 == told.exit_code
    where = "warning: experiments.addition.recipe.batch_size: is "
    assert warned == (
        f"{where}{sizes[-3:-1] if '[' in sizes else sizes}, and no data" in told.stderr
    )
    assert warned == ("leave batch_size out" in told.stderr.replace("\n", " "))


def test_a_detector_that_cannot_say_what_to_warn_of_is_no_mistake(
    grokbench: Grokbench, suite: Path
) -> None:
    plugin = suite.with_name("plugin.py")
    body = "    def warning(self, lengths):\n        raise ValueError('no idea')\n\n    def find("
    plugin.write_text(plugin.read_text(encoding="utf-8").replace("    def find(", body))
    result = grokbench("validate", suite)
    assert result.exit_code == 0
    assert (
        "claims.hardly_anything.detector: final_accuracy raised an error when asked"
        in result.stderr
    )


def test_a_file_that_is_not_there_is_a_usage_error(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("validate", "no_such_suite.toml")
    assert result.exit_code == 2
    assert "no_such_suite.toml" in result.stderr
