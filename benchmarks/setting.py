"""What the benchmarks train: one-layer runs of modular addition, as in the paper's first figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grokbench.plan import lay_out
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training import Setup
from grokbench.training.models import build_model

MODULUS, DATA_SIZE = 113, 3000
LEARNING_RATE, WEIGHT_DECAY, BETAS, EPSILON = 1e-3, 1.0, (0.9, 0.98), 1e-8
SEEDS = {"cpu": 11, "cuda": 1024}
"""How many runs of one size can be stacked: the paper's seeds on a CPU, a whole grid on a GPU."""


def one_layer(
    size: int,
    seed: int,
    *,
    modulus: int = MODULUS,
    data_size: int = DATA_SIZE,
    layers: int = 1,
    steps: int = 40_000,
) -> Run:
    """A run as all contestants train it: full batch, AdamW at a constant rate, float32."""
    task = Choice("modular_addition", {"modulus": modulus, "split": "ordered"})
    optimizer = Choice("adamw", {"betas": BETAS, "epsilon": EPSILON})
    recipe = Recipe(optimizer, steps, LEARNING_RATE, WEIGHT_DECAY, warmup_steps=0)
    return Run(task, Choice("dense"), ModelSize(size, layers), data_size, seed, recipe)


def small(size: int, seed: int, steps: int = 40_000) -> Run:
    """A run about as small as those of `suites/quick.toml`: P = 31, D = 500."""
    return one_layer(size, seed, modulus=31, data_size=500, steps=steps)


def cohort_first(size: int, device: str) -> tuple[int, list[Run]]:
    """All runs of this size, and how many of them, the first ones, a plan trains at once."""
    runs = [one_layer(size, seed) for seed in range(SEEDS[device])]
    cohort = lay_out(runs, Plugins.load(), device)[0].runs
    return len(cohort), [*cohort, *(run for run in runs if run not in cohort)]


@dataclass(frozen=True, eq=False)
class Start:
    """What every contestant starts from, on the CPU: a module, inputs and labels for each run.

    `inputs` is [runs, examples, 3] and `labels` [runs, examples]: the training examples only.
    """

    models: tuple[nn.Module, ...]
    inputs: Tensor
    labels: Tensor

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Start:
        made = Setup.of(runs[0], Plugins.load())
        models = tuple(build_model(run, made.architecture, made.task) for run in runs)
        examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
        inputs = torch.stack([one.inputs[one.train] for one in examples])
        labels = torch.stack([one.labels[one.train] for one in examples])
        return cls(models, inputs, labels)
