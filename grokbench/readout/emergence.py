"""Between which two model sizes an ability emerges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.readout.curves import (
    canonical,
    generalization_accuracy,
    of_part,
    reaches,
    settled,
    single_curve,
)
from grokbench.statistics.intervals import Floats


@dataclass(frozen=True)
class EmergenceBrackets:
    """Between which two numbers of parameters an ability emerges, as log2; each [seeds].

    `low` is the largest size tried below the first that reaches the threshold (minus infinity
    where the smallest did), `high` that first size (infinite where none did).
    """

    low: Floats
    high: Floats

    fewest: int
    """How many runs there are at the size with the fewest."""

    @property
    def middle(self) -> Floats:
        """The middle of each bracket; of a bracket open at one side, its other end."""
        ends = np.stack([self.low, self.high])
        finite = np.isfinite(ends)
        return np.asarray(np.where(finite, ends, 0).sum(axis=0) / finite.sum(axis=0))


def emergence_brackets(
    dataset: xr.Dataset, threshold: float, part: str | None = None, best_of_seeds: bool = False
) -> EmergenceBrackets:
    """Where an ability emerges, for each seed (or once, for the best of them).

    Raises:
        NotEnoughDataError: no finished run, or more than one data size or swept value.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.dropna("seed", how="all").dropna("model_size", how="all")
    if not accuracy.size:
        raise NotEnoughDataError("no finished run has validation examples")
    fewest = int(accuracy.notnull().sum("seed").min())
    if best_of_seeds:
        accuracy = accuracy.max("seed").expand_dims("seed")
    size = np.log2(accuracy["parameters"].to_numpy().astype(float))
    values = accuracy.transpose("seed", "model_size").to_numpy()
    high = np.where(reaches(values, threshold), size, np.inf).min(axis=1)
    failed = ~np.isnan(values) & (size < high[:, None])
    return EmergenceBrackets(np.where(failed, size, -np.inf).max(axis=1), high, fewest)
