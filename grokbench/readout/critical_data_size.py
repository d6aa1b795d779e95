"""The smallest amount of data from which models generalize."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.readout.curves import (
    canonical,
    generalization_accuracy,
    of_part,
    reaches,
    settled,
    single_curve,
)
from grokbench.statistics.intervals import Floats

THRESHOLD = 0.9


def critical_data_size_brackets(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """Between which two data sizes each seed's critical data size lies.

    The critical data size is the smallest from which final mirror-free accuracy reaches the
    threshold there and at every larger size tried.

    Args:
        dataset: an experiment's dataset; one value of each swept field.
        threshold: the accuracy that counts as generalized.
        part: which part of the task; the first unless said otherwise.

    Returns:
        Over `model_size` and `seed`: `lower` and `upper`, the largest data size known to be too
        small and the smallest known to be enough. `lower` is 0 where all were enough, `upper`
        infinite where the largest was not; both are NaN without a finished run.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "data_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.transpose("model_size", "seed", "data_size")
    sizes = data["data_size"].to_numpy().astype(float)
    values = accuracy.to_numpy()
    known = ~np.isnan(values)
    failed = known & ~reaches(values, threshold)
    lower = np.where(failed, sizes, 0.0).max(axis=-1)
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


def critical_data_sizes(
    dataset: xr.Dataset, threshold: float = THRESHOLD, part: str | None = None
) -> xr.Dataset:
    """The critical data size of each model size: where the median seed's lies.

    Args and errors as in `critical_data_size_brackets`.

    Returns:
        Along `model_size`, in order of `parameters`: `low` and `high` (examples, the medians over
        seeds of the brackets' ends), `estimate` (their geometric mean, NaN where censored),
        `left_censored` (the smallest data size tried was enough: `low` is 0), `right_censored`
        (the largest was not: `high` is infinite).
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
    """The lower and the upper median, which stay on the grid and never average with infinity."""
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return np.nan, np.nan
    return float(known[(known.size - 1) // 2]), float(known[known.size // 2])
