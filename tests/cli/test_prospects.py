"""What `grokbench plan` says about the claims of a suite that has results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Grokbench = Callable[..., Result]

PLUGIN = '''
import grokbench


class Narrowing(grokbench.Detector):
    """Half a width of one over the root of the number of seeds, around an effect of 0.3."""

    name = "narrowing"

    def find(self, data):
        seeds = data["experiment"].sizes["seed"]
        half = seeds**-0.5
        return grokbench.Finding(0.3, 0.3 - half, 0.3 + half, "unit", seeds, "as it was told")


class Unreachable(grokbench.Detector):
    """Finds nothing on any grid."""

    name = "unreachable"

    def find(self, data):
        raise grokbench.NotEnoughDataError("nothing generalizes at any size")


@grokbench.hookimpl
def register_detectors(register):
    register(Narrowing)
    register(Unreachable)
'''

SUITE = """
title = "A suite for tests"
plugins = ["plugin.py"]
{sequential}

[recipes.short]
optimizer = "adamw"
steps = 4
evaluate_every = 2

[experiments.addition]
task = {{ name = "modular_addition", modulus = 5 }}
architecture = "dense"
recipe = "short"
model_sizes = [4, 8]
data_sizes = [10, 15]
{seeds}

[claims.undecided]
statement = "Half a width of 0.2 takes 25 seeds."
detector = "narrowing"
experiment = "addition"
where = {{ data_size = 10 }}
rule = {{ at_least = 0.1 }}
minimum_seeds = 2

[claims.decided]
statement = "The effect is above minus one."
detector = "narrowing"
experiment = "addition"
rule = {{ at_least = -1.0 }}
minimum_seeds = 2

[claims.unreachable]
statement = "Nothing is found."
detector = "unreachable"
experiment = "addition"
rule = {{ at_least = 0.1 }}
minimum_seeds = 2
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes the suite, with fixed seeds or with looks, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")

    def written(sequential: str = "") -> Path:
        path = tmp_path / "small.toml"
        seeds = "" if sequential else "seeds = 2"
        path.write_text(SUITE.format(sequential=sequential, seeds=seeds), encoding="utf-8")
        return path

    return written


def claims(result: Result) -> dict[str, dict[str, Any]]:
    return {entry["claim"]: entry for entry in json.loads(result.stdout)["claims"]}


def test_a_plan_without_results_says_nothing_of_claims(grokbench: Grokbench, write) -> None:
    assert {} == claims(grokbench("plan", write(), "--json", "--no-measure"))


def test_a_plan_says_what_each_undecided_claim_would_take(grokbench: Grokbench, write) -> None:
    suite = write()
    grokbench("run", suite, "--jobs", 1)
    found = claims(grokbench("plan", suite, "--json", "--jobs", 1))
    undecided, decided, unreachable = (
        found[name] for name in ("undecided", "decided", "unreachable")
    )
    assert undecided["expected_seeds"] in (25, 26)
    # Two cells have 2 seeds each.
    assert undecided["runs"] == 2 * (undecided["expected_seeds"] - 2)
    assert undecided["seconds"] > 0
    assert "reproduced" == decided["outcome"]
    assert (None, None, 0) == (decided["expected_seeds"], decided["words"], decided["runs"])
    assert (unreachable["expected_seeds"], unreachable["runs"]) == (None, 0)
    assert "No number of seeds" in unreachable["words"]
    assert "nothing generalizes at any size" in unreachable["words"]


def test_the_plan_of_a_finished_suite_names_the_open_claims(grokbench: Grokbench, write) -> None:
    suite = write()
    grokbench("run", suite, "--jobs", 1)
    stdout = grokbench("plan", suite, "--no-measure").stdout
    assert "Nothing to train." in stdout
    assert "Claims: 1 of 3 decided." in stdout
    assert "unreachable: No number of seeds is expected to decide the claim" in stdout
    assert "To decide 1 claim: 46 runs\n" in stdout or "To decide 1 claim: 48 runs\n" in stdout
    assert (
        None is claims(grokbench("plan", suite, "--json", "--no-measure"))["undecided"]["seconds"]
    )


LOOKS = "[sequential]\nfirst_seed = 3\nlooks = [2, {last}]\n"


def test_the_seeds_of_a_sequential_suite_are_those_of_its_next_looks(
    grokbench: Grokbench, write
) -> None:
    suite = write(LOOKS.format(last=40))
    grokbench("run", suite, "--jobs", 1, "--seeds", 2)
    undecided = claims(grokbench("plan", suite, "--json", "--no-measure"))["undecided"]
    assert undecided["expected_seeds"] in (25, 26)
    assert undecided["runs"] == 2 * (40 - 2)


def test_a_sequential_suite_that_ends_too_early_says_so(grokbench: Grokbench, write) -> None:
    suite = write(LOOKS.format(last=10))
    grokbench("run", suite, "--jobs", 1, "--seeds", 2)
    undecided = claims(grokbench("plan", suite, "--json", "--no-measure"))["undecided"]
    assert 0 == undecided["runs"]
    assert undecided["words"].endswith("The last look of the suite has 10.")
