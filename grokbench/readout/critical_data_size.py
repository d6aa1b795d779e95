"""The critical data size: the smallest number of training examples from which models generalize.

An experiment trains at some data sizes only. A critical data size is therefore known to lie between
two of them (interval-censored), below the smallest (left-censored), or above the largest
(right-censored). It holds for the experiment's budget of steps. Source: Huang et al. 2024, § 2.2,
Fig. 3.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.readout.curves import generalization_accuracy, reaches, settled
from grokbench.readout.grid import canonical, of_part, single_curve
from grokbench.statistics.intervals import Floats

THRESHOLD = 0.9
"""Final mirror-free accuracy from which a run counts as generalized."""


def critical_data_size_brackets(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """The two data sizes between which each seed's critical data size lies.

    A seed's critical data size is the smallest data size such that its runs reach the threshold
    there and at every larger data size tried. A run reaches the threshold if its settled
    mirror-free accuracy does.

    Args:
        dataset: an experiment's dataset; one value of each swept field.
        threshold: the accuracy from which a run counts as generalized.
        part: a part of the task, by default the first.

    Returns:
        Over `model_size` (in order of `parameters`) and `seed`, in examples: `lower` (the largest
        data size that was too small; 0 where all were enough) and `upper` (the smallest larger one
        that was enough; infinite where there is none). Both are NaN where no run finished.

    Raises:
        NotEnoughDataError: an unknown part, or more than one value of a swept field.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "data_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.transpose("model_size", "seed", "data_size")
    sizes = data["data_size"].to_numpy().astype(float)
    values = accuracy.to_numpy()
    known = ~np.isnan(values)
    failed = known & ~reaches(values, threshold)
    lower = np.where(failed, sizes, 0.0).max(axis=-1)
    # One failure at a large data size moves the bracket up, whatever smaller sizes did.
    enough = known & (sizes > lower[..., None])
    upper = np.where(enough, sizes, np.inf).min(axis=-1)
    unknown = ~known.any(axis=-1)
    over = ("model_size", "seed")
    return xr.Dataset(
        {
            "lower": (over, np.where(unknown, np.nan, lower), {"units": "examples"}),
            "upper": (over, np.where(unknown, np.nan, upper), {"units": "examples"}),
        },
        {name: accuracy[name] for name in accuracy.coords if name != "data_size"},
    )


def runs_that_generalize(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """Which runs count, and which of them generalize.

    Arguments and errors are those of `critical_data_size_brackets`.

    Returns:
        Over `model_size` (in order of `parameters`), `data_size` and `seed`, bool: `runs` (finished,
        with a settled mirror-free accuracy) and `generalized` (this accuracy reaches the threshold).
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "data_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    runs = accuracy.notnull()
    enough = accuracy.copy(data=reaches(accuracy.to_numpy(), threshold))
    return xr.Dataset({"runs": runs, "generalized": runs & enough})


def critical_data_sizes(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """The critical data size of each model size: that of the median seed.

    Arguments and errors are those of `critical_data_size_brackets`.

    Returns:
        Along `model_size`, in order of `parameters`: `low` and `high` (examples, the medians over
        seeds of the brackets' ends), `estimate` (their geometric mean, NaN where censored),
        `left_censored` (the smallest data size was enough: `low` is 0), `right_censored` (the
        largest was not enough: `high` is infinite).
    """
    brackets = critical_data_size_brackets(dataset, threshold, part)
    low = np.array([_medians(row)[0] for row in brackets["lower"].to_numpy()])
    high = np.array([_medians(row)[1] for row in brackets["upper"].to_numpy()])
    left, right = low == 0, np.isinf(high)
    estimate = np.full(len(low), np.nan)
    inside = ~left & ~right & ~np.isnan(low)
    estimate[inside] = np.sqrt(low[inside] * high[inside])
    along = ("model_size",)
    return xr.Dataset(
        {
            "estimate": (along, estimate, {"units": "examples"}),
            "low": (along, low, {"units": "examples"}),
            "high": (along, high, {"units": "examples"}),
            "left_censored": (along, left),
            "right_censored": (along, right),
        },
        brackets.drop_vars("seed").coords,
    )


def _medians(values: Floats) -> tuple[float, float]:
    """The lower and the upper median, which are values of the grid even where some are infinite."""
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return np.nan, np.nan
    return float(known[(known.size - 1) // 2]), float(known[known.size // 2])
