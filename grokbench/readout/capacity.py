"""How many random labels a model can hold."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.readout.curves import canonical, of_part, settled, single_curve
from grokbench.statistics.intervals import Floats, t_interval

SATURATED_AT = 0.95
"""Mean training accuracy from which the examples, not the model, set the limit."""


def capacities(dataset: xr.Dataset, saturated_at: float = SATURATED_AT) -> xr.Dataset:
    """The memorization capacity of each model size.

    Capacity is final training accuracy times the number of training examples, all of which have
    random labels (Huang et al. 2024, § 2.3 and Fig. 4).

    Args:
        dataset: an experiment on random labels; one data size, one value of each swept field.
        saturated_at: training accuracy from which a capacity is only a lower bound.

    Returns:
        Along `model_size`, in order of `parameters`: `capacity` (examples, the mean over seeds),
        `low` and `high` (its 95 % t-interval; NaN for a single seed), `accuracy` (the mean), and
        `saturated` (bool). Sizes without a finished run hold NaN.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field.
    """
    data = single_curve(of_part(canonical(dataset), None), "model_size", "seed")
    accuracy = settled(data, "train_accuracy").transpose("model_size", "seed")
    held = accuracy * data["train_examples"].transpose("model_size", "seed")
    rows = [_mean_and_interval(row[~np.isnan(row)]) for row in held.to_numpy()]
    mean, low, high = np.array(rows, float).reshape(-1, 3).T
    mean_accuracy = accuracy.mean("seed")
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


def _mean_and_interval(values: Floats) -> tuple[float, float, float]:
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    interval = t_interval(values)
    return interval.estimate, interval.low, interval.high
