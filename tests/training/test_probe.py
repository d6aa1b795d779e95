"""The probe finds modules that cannot be stacked, and those that stack wrongly."""

from __future__ import annotations

import pytest
import torch

from grokbench.randomness import Streams
from grokbench.record import Choice
from grokbench.training import Setup
from grokbench.training.programs import why_not_stacked
from grokbench.training.stack import build_model, training_batch
from tests.training.worlds import ADDITION, PLUGINS, TEACHER, run


def reason(architecture: str, task: Choice = ADDITION) -> str:
    runs = [run(task, architecture, data_size=40, seed=seed) for seed in (0, 1)]
    made = Setup.of(runs[0], PLUGINS)
    models = [build_model(one, made.architecture, made.task) for one in runs]
    examples = [made.task.examples(one.data_size, Streams(one.seed)) for one in runs]
    batch = training_batch(examples, torch.zeros(1))
    return why_not_stacked(models, made.architecture, made.task.judgement, batch)


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
