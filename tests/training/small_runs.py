"""Small runs to train in tests, and the plain loop that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.loop import train_to_end
from studies.distributions.plain_loop import PlainLoop

ODD = Path(__file__).parent / "odd_plugin.py"
PLUGINS = Plugins.load([ODD])

ADDITION = Choice("modular_addition", {"modulus": 11})
MIXTURE = Choice("mixture", {"modulus": 11, "memorization_size": 40})
TEACHER = Choice("teacher")
DIGITS = Choice("image_classification", {"validation_size": 30})
DIGITS_SQUARED = Choice("image_classification", {"loss": "squared_error", "validation_size": 30})

STEADY = Choice("adamw", {"epsilon": 1e-4})
"""With the usual 1e-8, Adam turns the rounding error in the gradient of a barely active unit into a
step of full length, so that two exact computations would differ."""


def run(
    task: Choice = ADDITION,
    architecture: Choice | str = "dense",
    size: ModelSize | int = 8,
    data_size: int = 50,
    seed: int = 0,
    **recipe: Any,
) -> Run:
    recipe = {"optimizer": Choice("adamw"), "steps": 40, "evaluate_every": 10, **recipe}
    architecture = Choice(architecture) if isinstance(architecture, str) else architecture
    size = ModelSize(size) if isinstance(size, int) else size
    return Run(task, architecture, size, data_size, seed, Recipe(**recipe))


def trained(runs: Sequence[Run]) -> torch.Tensor:
    """Train `runs` as one stack; all their final parameters, [runs, parameters]."""
    training = CohortTraining(runs, PLUGINS, torch.device("cpu"))
    assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
    return torch.cat([one.flatten(1) for one in training.by_name.values()], 1)


@cache
def plain_loop(one: Run) -> torch.Tensor:
    """Train one run with its module, autograd, torch's loss and torch's AdamW.

    Returns its final parameters, [parameters].
    """
    loop = PlainLoop(one, PLUGINS)
    for _ in range(one.recipe.steps):
        loop.step()
    return loop.parameters


def curves(records: Sequence[Any]) -> list[dict[str, Any]]:
    """The bytes of every curve of every record."""
    return [{name: curve.tobytes() for name, curve in record.curves.items()} for record in records]
