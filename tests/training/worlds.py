"""Small runs to train in tests, and the plain loop that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training import Definitions
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.descent import Descent
from grokbench.training.loop import descend
from grokbench.training.stack import build_model

ODD = Path(__file__).parent / "odd_plugin.py"
PLUGINS = Plugins.load([ODD])

ADDITION = Choice("modular_addition", {"modulus": 11})
MIXTURE = Choice("mixture", {"modulus": 11, "memorization_size": 40})
TEACHER = Choice("teacher")

STEADY = Choice("adamw", {"epsilon": 1e-4})
"""With the usual 1e-8, Adam turns the rounding error of a barely active unit's gradient into a
step of full length, and two exact computations part company."""


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


def descended(runs: Sequence[Run]) -> torch.Tensor:
    """Train `runs` as one stack; their final parameters, [runs, parameters]."""
    descent = Descent(runs, PLUGINS, torch.device("cpu"))
    assert descend(descent, lambda step, accuracy: None, Safekeeping())
    return descent.parameters


@cache
def plain_loop(one: Run) -> torch.Tensor:
    """Train one run as anyone would: its module, autograd, torch's loss and AdamW.

    Returns its final parameters, [parameters].
    """
    made = Definitions.of(one, PLUGINS)
    model = build_model(one, made.architecture, made.task).train()
    trained = [value for value in model.parameters() if value.requires_grad]
    examples = made.task.examples(one.data_size, Streams(one.seed))
    inputs, labels = examples.inputs[examples.train], examples.labels[examples.train]
    given = (inputs, examples.part[examples.train]) if made.architecture.takes_part else (inputs,)
    optimizer = torch.optim.AdamW(
        trained,
        betas=made.optimizer.options.betas,
        eps=made.optimizer.options.epsilon,
        weight_decay=one.recipe.weight_decay,
    )
    for step in range(one.recipe.steps):
        warm = min(1.0, (step + 1) / one.recipe.warmup_steps)
        optimizer.param_groups[0]["lr"] = one.recipe.learning_rate * warm
        optimizer.zero_grad()
        functional.cross_entropy(model(*given), labels).backward()
        optimizer.step()
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def curves(records: Sequence[Any]) -> list[dict[str, Any]]:
    """What can be compared between records: everything but their arrays' identity."""
    return [{name: curve.tobytes() for name, curve in record.curves.items()} for record in records]
