"""The probe finds modules that cannot be stacked, and those that stack wrongly."""

from __future__ import annotations

import pytest

from grokbench.record import Choice
from grokbench.training.probe import Probe
from grokbench.training.programs import choose_program, probed
from tests.training.small_runs import ADDITION, PLUGINS, TEACHER, run
from tests.training.stacks import stack_of


def reason(architecture: str, task: Choice = ADDITION) -> str:
    stack = stack_of([run(task, architecture, data_size=40, seed=seed) for seed in (0, 1)])
    return Probe.of(stack).why_one_by_one


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("dense", ADDITION),
        ("perceptron", TEACHER),
        ("counting", ADDITION),
        ("one_hot", ADDITION),
    ],
)
def test_an_ordinary_module_can_be_stacked(architecture: str, task: Choice) -> None:
    assert "" == reason(architecture, task)


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("lstm", "refuses"),
        ("looking", "refuses"),
        ("dropping", "refuses"),
        ("padded", "embed.weight disagree"),
    ],
)
def test_a_module_that_cannot_be_stacked_is_found_and_said_why(
    architecture: str, words: str
) -> None:
    assert words in reason(architecture)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ["dense", "perceptron", "lstm", "padded"])
def test_a_plan_gives_the_reason_that_the_trainer_has(architecture: str, precision: str) -> None:
    task = TEACHER if architecture == "perceptron" else ADDITION
    runs = [
        run(task, architecture, data_size=40, seed=seed, precision=precision) for seed in range(4)
    ]
    assert choose_program(stack_of(runs)).why_one_by_one == probed(runs, PLUGINS).why_one_by_one


def test_one_run_has_no_reason_to_go_alone() -> None:
    assert "" == probed([run(ADDITION, "lstm")], PLUGINS).why_one_by_one
    assert (
        "" != probed([run(ADDITION, "lstm", seed=seed) for seed in (0, 1)], PLUGINS).why_one_by_one
    )


def test_the_error_of_a_run_that_cannot_be_made_is_kept() -> None:
    unlucky = [run(Choice("unlucky"), "perceptron", seed=seed) for seed in (0, 1)]
    found = probed(unlucky, PLUGINS)
    assert "" == found.why_one_by_one
    assert "ValueError: seed 1 is unlucky (odd_plugin.py, line 50)" == found.error
