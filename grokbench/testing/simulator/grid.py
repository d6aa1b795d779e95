"""Which runs a simulated experiment has, and the dataset that waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.record import Choice, ModelSize, Recipe
from grokbench.store.dataset import assembled
from grokbench.suite.model import Experiment, Suite

Floats = npt.NDArray[np.float64]


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
    """The first generalizes as the law says; of any other the labels are random."""
    random_labels: bool = False
    """Whether every label is random: nothing validates, and all pairs are trained on."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Model sizes, data sizes, seeds."""
        return len(self.model_sizes), len(self.data_sizes), self.seeds

    @property
    def sizes(self) -> tuple[ModelSize, ...]:
        return tuple(_size(label) for label in self.model_sizes)

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

    @property
    def chance(self) -> float:
        return 1 / self.modulus

    def empty(self) -> xr.Dataset:
        """The dataset that the store makes of this experiment when nothing has been run."""
        return _assembled(self).copy(deep=True)


@cache
def _assembled(grid: Grid) -> xr.Dataset:
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
    )
    suite = Suite("simulated", {"simulated": experiment}, {})
    return assembled(suite, {}, {"sittings": []})["simulated"].to_dataset()


def _size(label: int | str) -> ModelSize:
    layers, _, hidden = str(label).rpartition("x")
    return ModelSize(int(hidden), int(layers or 1))
