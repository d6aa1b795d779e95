"""Where the capacity curve and the critical-size curve cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats
from grokbench.statistics.jackknife import Replicates
from grokbench.theory.dividing_curves import (
    CapacityCurve,
    CriticalCurve,
)
from grokbench.theory.mirrors import Pairs

BEYOND = 2.0
"""How far beyond the model sizes tried a crossing is looked for, in doublings of parameters."""


STEP = 1 / 32


@dataclass(frozen=True, eq=False)
class CrossingPoint:
    """The point at which two curves cross, both as log2, with its replicates.

    A replicate whose curves do not cross within reach is infinite on the side where they might.
    """

    parameters: Replicates
    data_size: Replicates


def crossing_of(capacity: CapacityCurve, critical: CriticalCurve, pairs: Pairs) -> CrossingPoint:
    """Where the capacity comes to exceed the critical data size, as models grow.

    Args:
        capacity, critical: the curves, with their replicates.
        pairs: what the critical experiment trains on.

    Raises:
        NotEnoughDataError: the curves do not cross within two doublings of the sizes tried.
    """
    ends = (
        min(capacity.sizes[0], critical.smallest) - BEYOND,
        max(capacity.sizes[-1], critical.largest) + BEYOND,
    )
    sizes = np.arange(ends[0], ends[1] + STEP, STEP)
    held, enough = capacity.at(sizes, pairs), critical.at(sizes)
    place, height = _first(sizes, held[0], enough[0])
    if np.isinf(place):
        which, end = ("above", ends[0]) if place < 0 else ("below", ends[1])
        raise NotEnoughDataError(
            f"the curves do not cross: the capacity is {which} the critical data size from "
            f"{2 ** ends[0]:.0f} to {2 ** ends[1]:.0f} parameters; try model sizes beyond "
            f"{2**end:.0f}"
        )
    seeds = len(critical.seeds)
    memory = np.array([_first(sizes, row, enough[0]) for row in held[1:]])
    left_out = np.array([_first(sizes, held[0], row) for row in enough[1 : 1 + seeds]])
    moved = np.array([_first(sizes, held[0], row) for row in enough[1 + seeds :]])
    parameters, data_size = (
        Replicates(value, [memory[:, axis], left_out[:, axis]], moved[:, axis])
        for axis, value in enumerate((place, height))
    )
    return CrossingPoint(parameters, data_size)


def _first(sizes: Floats, held: Floats, enough: Floats) -> tuple[float, float]:
    """Size and height at which `held` first reaches `enough`.

    Infinite where it never does: minus where it lies above from the first size on.
    """
    gap = held - enough
    if gap[0] >= 0:
        return -np.inf, np.inf
    above = np.flatnonzero(gap >= 0)
    if not above.size:
        return np.inf, -np.inf
    i = int(above[0])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    size = sizes[i - 1] + share * (sizes[i] - sizes[i - 1])
    return float(size), float(enough[i - 1] + share * (enough[i] - enough[i - 1]))
