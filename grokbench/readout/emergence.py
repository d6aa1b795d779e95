"""The two model sizes between which an ability emerges.

An ability emerges at the smallest model size whose settled mirror-free accuracy reaches a threshold
(Huang et al. 2024, § 5, Fig. 8). Only some sizes are tried, so this size is interval-censored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.labels import text_of
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
    step: float
    """The largest distance between neighbouring sizes that were tried, inside the brackets and next to
    them; infinite if only one size was tried."""

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
    low = np.where(failed, size, -np.inf).max(axis=1)
    return EmergenceBrackets(low, high, fewest, _step(size, np.concatenate([low, high])))


def _step(sizes: Floats, ends: Floats) -> float:
    """The largest distance between neighbouring sizes, from one below the ends to one above them."""
    sizes, ends = np.unique(sizes), ends[np.isfinite(ends)]
    first, last = np.searchsorted(sizes, [ends.min(), ends.max()])
    distances = np.diff(sizes[max(first - 1, 0) : last + 2])
    return float(distances.max()) if distances.size else np.inf


def size_to_try(dataset: xr.Dataset, brackets: EmergenceBrackets) -> int | None:
    """The hidden size that would halve the widest bracket, if the grid's step allows one.

    The grid's step is the greatest common divisor of its hidden sizes: a multiple of the step is as possible
    for the architecture as the sizes tried are.

    Args:
        dataset: the experiment's dataset that the brackets were read from.
        brackets: where the ability emerges.

    Returns:
        None where no bracket has two ends, where the sizes are labels such as `2x128`, or where no multiple
        lies inside the bracket.
    """
    labels = [text_of(label) for label in dataset["model_size"].to_numpy().tolist()]
    closed = np.isfinite(brackets.low) & np.isfinite(brackets.high)
    if not closed.any() or not all(label.isdigit() for label in labels):
        return None
    hidden, size = np.array([int(label) for label in labels]), log2_parameters(dataset)
    widest = int(np.argmax(np.where(closed, brackets.high - brackets.low, -np.inf)))
    low, high = (
        int(hidden[np.nanargmin(np.abs(size - end[widest]))])
        for end in (brackets.low, brackets.high)
    )
    step = int(np.gcd.reduce(hidden))
    between = np.arange(low + step, high, step)
    if not between.size:
        return None
    return int(between[np.argmin(np.abs(np.log(between / np.sqrt(low * high))))])
