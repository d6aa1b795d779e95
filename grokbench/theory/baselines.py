"""What one would guess a run to do without knowing the theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grokbench.readout.dynamics import Dynamic
from grokbench.statistics.intervals import Floats

Labels = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Observed:
    """What the runs of an experiment did: [model sizes, data sizes, seeds] of `Dynamic`."""

    dynamics: Labels
    sizes: Floats
    """log2 of the parameters."""
    amounts: Floats
    """log2 of the data sizes."""


@dataclass(frozen=True, eq=False)
class Known:
    """What may be known of other runs when one of the target's is guessed."""

    target: Observed
    critical: Observed
    same: Bools
    """Which of the critical experiment's sizes (second) may not be looked at for one of the target's
    (first), because they have runs in common."""


def most_frequent(labels: Labels) -> int:
    """The commonest dynamic (of equals the lowest); UNKNOWN for none."""
    known = labels[labels != int(Dynamic.UNKNOWN)]
    return int(np.bincount(known).argmax()) if known.size else int(Dynamic.UNKNOWN)


def overall(known: Known) -> Labels:
    """The dynamic most frequent among the target's runs of all other model sizes."""
    runs = known.target.dynamics
    guesses = [most_frequent(np.delete(runs, index, axis=0)) for index in range(len(runs))]
    return np.repeat(np.array(guesses, np.int8)[:, None], runs.shape[1], axis=1)


def at_the_data_size(known: Known) -> Labels:
    """The same among runs with as much data."""
    runs = known.target.dynamics
    return np.array(
        [
            [most_frequent(np.delete(runs[:, j], index, axis=0)) for j in range(runs.shape[1])]
            for index in range(len(runs))
        ],
        np.int8,
    ).reshape(runs.shape[:2])


def threshold(known: Known) -> Labels:
    """For each data size one dynamic for small models and one for large, wherever that fits best.

    Fitted to the target's runs of all other model sizes, with as much data.
    """
    runs, sizes = known.target.dynamics, known.target.sizes
    guesses = np.empty(runs.shape[:2], np.int8)
    for i, j in np.ndindex(guesses.shape):
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
        guesses[i, j] = small if sizes[i] < cut else large
    return guesses


def nearest_fitted(known: Known) -> Labels:
    """The most frequent dynamic of the nearest cell to which the critical curve was fitted.

    Nearest in model size first, then in data size; of two as near, the smaller.
    """
    target, critical = known.target, known.critical
    cells = np.array([[most_frequent(cell) for cell in row] for row in critical.dynamics], np.int8)
    cells = cells.reshape(critical.dynamics.shape[:2])
    guesses = np.full(target.dynamics.shape[:2], int(Dynamic.UNKNOWN), np.int8)
    for i, j in np.ndindex(guesses.shape):
        size_away = np.abs(critical.sizes - target.sizes[i])
        size_away[known.same[i]] = np.nan
        away = np.stack(
            np.broadcast_arrays(size_away[:, None], np.abs(critical.amounts - target.amounts[j])),
            axis=-1,
        ).reshape(-1, 2)
        allowed = np.flatnonzero((cells.ravel() >= 0) & ~np.isnan(away[:, 0]))
        if allowed.size:
            nearest = min(allowed, key=lambda cell: (*away[cell], cell))
            guesses[i, j] = cells.ravel()[nearest]
    return guesses


GUESSES: Mapping[str, Callable[[Known], Labels]] = {
    "the most frequent dynamic": overall,
    "the most frequent at each data size": at_the_data_size,
    "a threshold in model size for each data size": threshold,
    "what the nearest fitted runs did": nearest_fitted,
}
"""Each says what it would guess for every cell, [model sizes, data sizes], without the cell's own
runs or any other of its model size."""
