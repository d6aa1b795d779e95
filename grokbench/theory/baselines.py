"""Predictions of training dynamics without the theory, with which the zone map is compared.

Each baseline predicts one dynamic for every cell of the target, and uses no run of the target at
that cell's model size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grokbench.readout.dynamics import Dynamic
from grokbench.statistics.intervals import Bools, Floats

Labels = npt.NDArray[np.int8]
"""Values of `Dynamic`."""


@dataclass(frozen=True, eq=False)
class Observed:
    """The dynamics that the runs of an experiment showed."""

    dynamics: Labels
    """[sizes, data sizes, seeds]"""
    sizes: Floats
    """log2 of the parameters, [sizes]."""
    data_sizes: Floats
    """log2 of the data sizes, [data sizes]."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a baseline may know when it predicts a target."""

    target: Observed
    critical: Observed
    excluded: Bools
    """Sizes of the critical experiment that must not be used, [target's sizes, critical's sizes].

    An excluded size is the target's size itself, where the two experiments share runs.
    """


def most_frequent(labels: Labels) -> int:
    """The most frequent known dynamic; of equally frequent ones the one with the lowest value.

    UNKNOWN where no dynamic is known.
    """
    known = labels[labels != int(Dynamic.UNKNOWN)]
    return int(np.bincount(known).argmax()) if known.size else int(Dynamic.UNKNOWN)


def most_frequent_overall(known: Known) -> Labels:
    """The most frequent dynamic of all runs of other model sizes."""
    runs = known.target.dynamics
    predicted = [most_frequent(np.delete(runs, index, axis=0)) for index in range(len(runs))]
    return np.repeat(np.array(predicted, np.int8)[:, None], runs.shape[1], axis=1)


def most_frequent_at_data_size(known: Known) -> Labels:
    """The most frequent dynamic of the runs of other model sizes at the same data size."""
    runs = known.target.dynamics
    return np.array(
        [
            [most_frequent(np.delete(runs[:, j], index, axis=0)) for j in range(runs.shape[1])]
            for index in range(len(runs))
        ],
        np.int8,
    ).reshape(runs.shape[:2])


def threshold(known: Known) -> Labels:
    """For each data size one dynamic for small models, and one for large models.

    The threshold between them and both dynamics are those that fit most runs of the other model
    sizes at the same data size (a decision stump). Of equally good thresholds the smallest is
    taken.
    """
    runs, sizes = known.target.dynamics, known.target.sizes
    predicted = np.empty(runs.shape[:2], np.int8)
    for i, j in np.ndindex(predicted.shape):
        others = np.delete(runs[:, j], i, axis=0)
        places = np.delete(sizes, i)
        cuts: list[tuple[float, float, int, int]] = []
        for first in range(1, len(others)):
            small, large = most_frequent(others[:first]), most_frequent(others[first:])
            right = (others[:first] == small).sum() + (others[first:] == large).sum()
            cuts.append((-right, places[first - 1 : first + 1].mean(), small, large))
        _, cut, small, large = min(
            cuts, default=(0.0, 0.0, most_frequent(others), most_frequent(others))
        )
        predicted[i, j] = small if sizes[i] < cut else large
    return predicted


def nearest_fitted(known: Known) -> Labels:
    """The most frequent dynamic of the nearest cell of the critical experiment.

    The distance is that of log2 of the model sizes; where it is equal, that of log2 of the data
    sizes. Of two equally near cells the smaller is taken.
    """
    target, critical = known.target, known.critical
    cells = np.array([[most_frequent(cell) for cell in row] for row in critical.dynamics], np.int8)
    cells = cells.reshape(critical.dynamics.shape[:2])
    predicted = np.full(target.dynamics.shape[:2], int(Dynamic.UNKNOWN), np.int8)
    for i, j in np.ndindex(predicted.shape):
        size_away = np.abs(critical.sizes - target.sizes[i])
        size_away[known.excluded[i]] = np.nan
        data_size_away = np.abs(critical.data_sizes - target.data_sizes[j])
        away = np.stack(np.broadcast_arrays(size_away[:, None], data_size_away), axis=-1)
        away = away.reshape(-1, 2)
        allowed = np.flatnonzero((cells.ravel() >= 0) & ~np.isnan(away[:, 0]))
        if allowed.size:
            nearest = min(allowed, key=lambda cell: (*away[cell], cell))
            predicted[i, j] = cells.ravel()[nearest]
    return predicted


BASELINES: Mapping[str, Callable[[Known], Labels]] = {
    "the most frequent dynamic": most_frequent_overall,
    "the most frequent at each data size": most_frequent_at_data_size,
    "a threshold in model size for each data size": threshold,
    "what the nearest fitted runs did": nearest_fitted,
}
"""Each predicts a dynamic for every cell, [sizes, data sizes]. The names occur in verdicts."""
