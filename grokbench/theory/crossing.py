"""The point at which the capacity curve and the critical curve cross: the star in Fig. 1.

Source: Huang et al. 2024, § 3, takeaway 3. The paper does not say where the star lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats
from grokbench.statistics.jackknife import Jackknife
from grokbench.theory.capacity_curve import CapacityCurve
from grokbench.theory.critical_curve import CriticalCurve
from grokbench.theory.mirrors import Pairs

BEYOND = 2.0
"""How far beyond the model sizes tried a crossing is looked for, in doublings of parameters."""

STEP = 1 / 32
"""The grid on which the curves are compared, in doublings of parameters; linear in between."""


@dataclass(frozen=True, eq=False)
class CrossingPoint:
    """The point at which two curves cross, both coordinates as log2.

    A replicate whose curves do not cross within reach is infinite, on the side on which they
    might cross.
    """

    parameters: Jackknife
    data_size: Jackknife


def crossing_of(capacity: CapacityCurve, critical: CriticalCurve, pairs: Pairs) -> CrossingPoint:
    """The smallest model size at which the capacity reaches the critical data size.

    Args:
        capacity, critical: the curves.
        pairs: what the critical experiment trains on.

    Raises:
        NotEnoughDataError: the curves do not cross within two doublings of the sizes tried.
    """
    start = min(capacity.sizes[0], critical.smallest) - BEYOND
    end = max(capacity.sizes[-1], critical.largest) + BEYOND
    sizes = np.arange(start, end + STEP, STEP)
    held, enough = capacity.at(sizes, pairs), critical.at(sizes)
    # The experiments are independent, so one curve varies while the other is the estimate.
    by_memorization = held.map(lambda one: _first_crossing(sizes, one, enough.estimate))
    by_critical = enough.map(lambda one: _first_crossing(sizes, held.estimate, one))
    place = by_critical.estimate[0]
    if np.isinf(place):
        which, beyond = ("above", start) if place < 0 else ("below", end)
        raise NotEnoughDataError(
            f"the curves do not cross: the capacity is {which} the critical data size from "
            f"{2**start:.0f} to {2**end:.0f} parameters; try model sizes beyond {2**beyond:.0f}"
        )
    parameters, data_size = (
        Jackknife.of(by_memorization.coordinate(axis), by_critical.coordinate(axis))
        for axis in range(2)
    )
    return CrossingPoint(parameters, data_size)


def _first_crossing(sizes: Floats, held: Floats, enough: Floats) -> Floats:
    """Size and height at which `held` first reaches `enough`, by linear interpolation.

    If `held` lies above from the first size on, the size is minus infinity and the height infinite.
    If it never reaches `enough`, the size is infinite and the height minus infinity.
    """
    gap = held - enough
    if gap[0] >= 0:
        return np.array([-np.inf, np.inf])
    above = np.flatnonzero(gap >= 0)
    if not above.size:
        return np.array([np.inf, -np.inf])
    i = int(above[0])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    ends = np.array([sizes[i - 1 : i + 1], enough[i - 1 : i + 1]])
    return np.asarray(ends[:, 0] + share * (ends[:, 1] - ends[:, 0]))
