"""Memorization capacity: how many random labels a model holds (Huang et al. 2024, § 2.3)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.readout.curves import settled
from grokbench.readout.grid import canonical, of_part, single_curve
from grokbench.statistics.intervals import Floats, t_interval

SATURATED_AT = 0.95
"""Mean training accuracy from which the number of examples, not the model, sets the limit."""


def memorization(dataset: xr.Dataset) -> xr.Dataset:
    """What each run has memorized of its random labels.

    Args:
        dataset: an experiment on random labels; one data size, one value of each swept field.

    Returns:
        Over `model_size` (in order of `parameters`) and `seed`: `accuracy` (settled training
        accuracy; NaN where a run has not finished) and `examples` (the number of training
        examples).

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field.
    """
    data = single_curve(of_part(canonical(dataset), None), "model_size", "seed")
    accuracy = settled(data, "train_accuracy").transpose("model_size", "seed")
    examples = data["train_examples"].transpose("model_size", "seed")
    return xr.Dataset({"accuracy": accuracy, "examples": examples})


def share_known(accuracy: Floats, chance: float) -> Floats:
    """The share of labels that a model knows, given its accuracy on them.

    A model that knows the share s and guesses the rest has the accuracy s + (1 - s) · chance. The
    result is negative where the accuracy is below chance.
    """
    return (accuracy - chance) / (1 - chance)


def capacities(dataset: xr.Dataset, saturated_at: float = SATURATED_AT) -> xr.Dataset:
    """The memorization capacity of each model size: how many random labels it has right in the end.

    Capacity is settled training accuracy times the number of training examples, all of which have
    random labels. Lucky guesses count, as they do in the paper.

    Args:
        dataset: an experiment on random labels; one data size, one value of each swept field.
        saturated_at: mean training accuracy from which a capacity is only a lower bound.

    Returns:
        Along `model_size`, in order of `parameters`: `capacity` (examples, the mean over seeds),
        `low` and `high` (its 95 % t-interval; NaN for a single seed), `accuracy` (the mean), and
        `saturated` (bool). Sizes without a finished run hold NaN.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field.
    """
    runs = memorization(dataset)
    held = (runs["accuracy"] * runs["examples"]).to_numpy()
    rows = [_mean_with_ends(row[~np.isnan(row)]) for row in held]
    mean, low, high = np.array(rows, float).reshape(-1, 3).T
    mean_accuracy = runs["accuracy"].mean("seed")
    along = ("model_size",)
    return xr.Dataset(
        {
            "capacity": (along, mean, {"units": "examples"}),
            "low": (along, low, {"units": "examples"}),
            "high": (along, high, {"units": "examples"}),
            "accuracy": mean_accuracy,
            "saturated": mean_accuracy >= saturated_at,
        }
    )


def _mean_with_ends(values: Floats) -> tuple[float, float, float]:
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    interval = t_interval(values)
    return interval.estimate, interval.low, interval.high
