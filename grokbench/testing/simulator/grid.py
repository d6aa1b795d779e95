"""Which runs a simulated experiment has, and at which steps they are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from grokbench.record import Choice, ModelSize, Recipe
from grokbench.suite.model import Experiment
from grokbench.testing.simulator.layout import Floats, Layout


@dataclass(frozen=True)
class Grid:
    """An experiment's grid and schedule, by default that of Huang et al. 2024, Fig. 6 (b)."""

    model_sizes: tuple[int | str, ...] = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100)
    """Hidden sizes, or text such as "8x1024"; smaller ones first."""
    data_sizes: tuple[int, ...] = (3000,)
    seeds: int = 11
    modulus: int = 113
    steps: int = 40_000
    evaluate_every: int = 1000
    parts: tuple[str, ...] = ("all",)
    """The first part generalizes as the law says; the labels of every other part are random."""
    random_labels: bool = False
    """Whether every label is random: nothing validates, and all pairs are trained on."""
    learning_rates: tuple[float, ...] = ()
    """Learning rates that are swept; the dataset has a dimension of that name if there are any."""
    swept: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Other fields of the recipe that are swept, each with its values; their dimensions come first."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Swept fields, model sizes, data sizes, seeds."""
        return self.layout.experiment.shape

    @property
    def sizes(self) -> tuple[ModelSize, ...]:
        return tuple(size_of(label) for label in self.model_sizes)

    @property
    def parameters(self) -> npt.NDArray[np.int64]:
        """Of each model: 12 d² a layer, and (2 P + 9) d for embeddings and biases."""
        hidden = np.array([size.hidden_size for size in self.sizes])
        layers = np.array([size.layers for size in self.sizes])
        return np.asarray(12 * layers * hidden**2 + (2 * self.modulus + 9) * hidden, np.int64)

    @property
    def pairs(self) -> int:
        return self.modulus**2

    @property
    def examples(self) -> Floats:
        """How many examples train, along the data sizes."""
        return np.array(self.data_sizes, float)

    def along(self, field: str) -> Floats:
        """The values of a swept field, of a shape that broadcasts over the grid."""
        axes = [name for name, _ in self.swept]
        values = np.array(dict(self.swept)[field], float)
        return values.reshape(
            [-1 if at == axes.index(field) else 1 for at in range(len(self.shape))]
        )

    @property
    def chance(self) -> float:
        return 1 / self.modulus

    @property
    def layout(self) -> Layout:
        """Where curves go, made once for equal grids."""
        return _layout(self)


@cache
def _layout(grid: Grid) -> Layout:
    task = "random_labels" if grid.random_labels else "modular_addition"
    options = {"modulus": grid.modulus} | ({} if grid.random_labels else {"split": "ordered"})
    experiment = Experiment(
        "simulated",
        Choice(task, options),
        Choice("dense"),
        Recipe(Choice("adamw"), grid.steps, evaluate_every=grid.evaluate_every),
        grid.sizes,
        grid.data_sizes,
        tuple(range(grid.seeds)),
        dict(grid.swept) | ({"learning_rate": grid.learning_rates} if grid.learning_rates else {}),
    )
    return Layout(experiment, grid.parts)


def size_of(label: int | str) -> ModelSize:
    """64 → one layer of 64 units; "8x1024" → eight layers of 1024."""
    layers, _, hidden = str(label).rpartition("x")
    return ModelSize(int(hidden), int(layers or 1))
