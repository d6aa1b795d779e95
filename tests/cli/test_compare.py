"""`grokbench compare`: two results, on the command line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from grokbench.cli.compare import value

Grokbench = Callable[..., Result]

OTHER_SEEDS = "\nseeds = 2 → \nseeds = [7, 8]"


@pytest.fixture
def trained(results: Path) -> Path:
    """The results folder of the small suite: A in all that follows."""
    return results


@pytest.fixture
def changed(grokbench: Grokbench, suite: Path) -> Callable[..., Path]:
    """Train the suite after replacing words in its file: B."""

    def train(**replaced: str) -> Path:
        text = suite.read_text(encoding="utf-8")
        for line in replaced.values():
            here, there = line.split(" → ")
            assert here in text
            text = text.replace(here, there)
        other = suite.with_name("other.toml")
        other.write_text(text, encoding="utf-8")
        assert grokbench("run", other, "--out", "b", "--jobs", 1).exit_code == 0
        return Path("b")

    return train


def test_results_against_themselves_are_the_same(grokbench: Grokbench, trained: Path) -> None:
    copy = Path("copy")
    shutil.copytree(trained, copy)
    told = grokbench("compare", trained, copy / "small.nc")
    assert 0 == told.exit_code, told.output
    assert "0 of 1 verdict changed." in told.stdout
    assert "8 of 8 runs that both have are equal bit by bit." in told.stdout
    assert "4 of 4 cells are identical" in told.stdout
    assert "Versions, devices, suites and recipes are the same." in told.stdout


def test_other_seeds_are_compared_and_too_few_of_them_are_said_to_be(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    told = grokbench("compare", trained, changed(seeds=OTHER_SEEDS))
    assert 0 == told.exit_code, told.output
    assert "in 4 cells differ by more than seeds explain" in told.stdout
    assert "2 against 2 seeds (4 cells): too few to detect any difference" in told.stdout
    assert "+seeds = [7, 8]" in told.stdout


def test_a_changed_verdict_is_1_and_named_with_both_reasons(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    told = grokbench("compare", trained, changed(rule="at_most = 1.0 → at_least = 1.1"))
    assert 1 == told.exit_code
    assert "1 of 1 verdict changed." in told.stdout
    assert "hardly_anything: A, seen [once]" in told.stdout
    assert "the two suites define this claim differently (rule)" in told.stdout


def test_a_verdict_that_chance_may_have_changed_is_told_and_is_1_only_when_asked(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    other = changed(seeds="minimum_seeds = 2 → minimum_seeds = 3")
    told = grokbench("compare", trained, other)
    assert 0 == told.exit_code, told.output
    assert "by chance?" in told.stdout
    assert "hardly_anything: the intervals overlap, so the difference may be chance" in told.stdout
    assert "0 of 1 verdict changed; 1 more may differ by chance." in told.stdout
    assert 1 == grokbench("compare", trained, other, "--strict").exit_code
    document = json.loads(grokbench("compare", trained, other, "--json").stdout)
    assert ([], True) == (document["changed"], document["verdicts"][0]["differs"])


def test_one_suite_can_judge_both(
    grokbench: Grokbench, trained: Path, suite: Path, changed: Callable[..., Path]
) -> None:
    other = changed(rule="at_most = 1.0 → at_least = 1.1", seeds=OTHER_SEEDS)
    told = grokbench("compare", trained, other, "--suite", suite)
    assert 0 == told.exit_code, told.output
    assert "define this claim differently" not in told.stdout


def test_another_recipe_is_told(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    told = grokbench("compare", trained, changed(steps="steps = 4 → steps = 6"))
    assert "addition: recipe.steps" in told.stdout


def test_json_has_all_of_it(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    other = changed(seeds=OTHER_SEEDS)
    document = json.loads(grokbench("compare", trained, other, "--json").stdout)
    assert [] == document["changed"]
    assert ["hardly_anything"] == [one["claim"] for one in document["verdicts"]]
    assert 4 == document["overlap"]["cells"]
    assert {"addition"} == {one["experiment"] for one in document["readings"]}
    assert {"4", "8"} == {one["cell"]["model_size"] for one in document["readings"]}
    assert "+seeds = [7, 8]" in document["suite"]


def test_what_shares_nothing_is_2_and_says_what_there_is(
    grokbench: Grokbench, trained: Path, changed: Callable[..., Path]
) -> None:
    other = changed(
        claim="[claims.hardly_anything] → [claims.something_else]",
        experiment="[experiments.addition] → [experiments.sums]",
        role='experiment = "addition" → experiment = "sums"',
    )
    told = grokbench("compare", trained, other)
    assert 2 == told.exit_code
    assert "share nothing" in told.stderr
    assert "A has the experiments addition, B has sums" in told.stderr


@pytest.mark.parametrize("wrong", ["missing", "plugin.py", "."])
def test_what_is_no_results_is_2(grokbench: Grokbench, trained: Path, wrong: str) -> None:
    for pair in ((trained, wrong), (wrong, trained)):
        told = grokbench("compare", *pair)
        assert 2 == told.exit_code
        assert wrong in told.stderr
        assert "Traceback" not in told.output


@pytest.mark.parametrize(
    ("measured", "number", "text"),
    [
        ("generalized_step", 1234.56, "1235"),
        ("generalized_step", math.inf, "never"),
        ("hessian_sharpness", math.inf, "∞"),
        ("hessian_sharpness", -math.inf, "−∞"),
    ],
)
def test_only_a_step_that_is_infinite_never_came(measured: str, number: float, text: str) -> None:
    assert text == value(measured, number)
