"""The two model sizes between which an ability emerges.

An ability emerges at the smallest model size whose settled mirror-free accuracy reaches a threshold
(Huang et al. 2024, § 5, Fig. 8). Only some sizes are tried, so this size is interval-censored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.readout.curves import generalization_accuracy, reaches, settled
from grokbench.readout.grid import canonical, log2_parameters, of_part, single_curve
from grokbench.statistics.intervals import Floats


@dataclass(frozen=True)
class EmergenceBrackets:
    """The two sizes between which an ability emerges: log2 of numbers of parameters, [seeds]."""

    low: Floats
    """The largest size below `high` that was tried; minus infinity where there is none."""
    high: Floats
    """The smallest size that reaches the threshold; infinite where none does."""
    fewest: int
    """The number of finished runs at the model size with the fewest."""

    @property
    def middle(self) -> Floats:
        """The middle of each bracket; the finite end of a bracket that is open at one side."""
        ends = np.stack([self.low, self.high])
        finite = np.isfinite(ends)
        return np.asarray(np.where(finite, ends, 0).sum(axis=0) / finite.sum(axis=0))


def emergence_brackets(
    dataset: xr.Dataset, threshold: float, part: str | None = None, best_of_seeds: bool = False
) -> EmergenceBrackets:
    """Where an ability emerges, for each seed.

    Args:
        dataset: an experiment's dataset; one data size, one value of each swept field.
        threshold: settled mirror-free accuracy from which a run has the ability.
        part: a part of the task, by default the first.
        best_of_seeds: read one bracket from the best run of each model size.

    Raises:
        NotEnoughDataError: no finished run, or more than one data size or value of a swept field.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.dropna("seed", how="all").dropna("model_size", how="all")
    if not accuracy.size:
        raise NotEnoughDataError("no finished run has validation examples")
    fewest = int(accuracy.notnull().sum("seed").min())
    if best_of_seeds:
        accuracy = accuracy.max("seed").expand_dims("seed")
    size = log2_parameters(accuracy)
    values = accuracy.transpose("seed", "model_size").to_numpy()
    # NaN reaches nothing: a missing run widens the bracket, and is no failure.
    high = np.where(reaches(values, threshold), size, np.inf).min(axis=1)
    failed = ~np.isnan(values) & (size < high[:, None])
    return EmergenceBrackets(np.where(failed, size, -np.inf).max(axis=1), high, fewest)
