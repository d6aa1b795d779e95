"""Curves of final accuracy along model size for the detectors of dips, on the grid of Fig. 6 (b)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grokbench.statistics.dips import Groups, exact_depth
from grokbench.testing.simulator import Grid, Levels, dip
from studies.calibration.trial import FAILED, Simulated

LINE = Grid()
HIDDEN = np.array([size.hidden_size for size in LINE.sizes])

# Concentrations c of the beta distribution: the variance is 1 / (c + 1) of the largest possible.
ALL_OR_NOTHING = 0.6
"""Nearly every run generalizes fully or not at all, as at hidden size 96 in results/quick-fixed."""
IN_PART = 4.0
"""Runs end between: progression, as at hidden size 4 in results/quick-fixed."""
SIMILAR = 50.0
AGREEING = 1000.0


def dipping(depth: float, peak: float = 0.6, *, noisy_peak: bool = False) -> Simulated:
    """Progression up to hidden size 20; beyond, runs generalize fully or not at all.

    Where nothing dips, runs do so at every size, which gives the noisiest curve; with `noisy_peak`
    where there is a dip, too.
    """
    small = IN_PART if depth and not noisy_peak else ALL_OR_NOTHING
    concentration = np.where(HIDDEN < 24, small, ALL_OR_NOTHING)
    return Levels(dip(LINE, depth, peak=peak), tuple(concentration.tolist())), LINE


def with_unequal_variances(depth: float) -> Simulated:
    """Runs generalize fully or not at all at four sizes, and agree at all other sizes."""
    noisy = np.isin(HIDDEN, (12, 20, 28, 36))
    concentration = np.where(noisy, ALL_OR_NOTHING, SIMILAR)
    return Levels(dip(LINE, depth), tuple(concentration.tolist())), LINE


PLACES = {"peak": [8, 12, 16], "bottom": [24, 28, 32], "recovery": [64, 100]}
AT_PLACES_SIZES = tuple(size for sizes in PLACES.values() for size in sizes)
AT_PLACES = Grid(AT_PLACES_SIZES)


def at_places(
    peak: float, bottom: float, recovery: float, concentration: float | Sequence[float]
) -> Simulated:
    """One level for all sizes of a place, and one concentration for all sizes or for each."""
    levels = np.repeat([peak, bottom, recovery], [len(sizes) for sizes in PLACES.values()])
    each = np.broadcast_to(concentration, levels.shape).tolist()
    return Levels(tuple(levels.tolist()), tuple(each)), AT_PLACES


ONE_NOISY_SIZE = (
    ALL_OR_NOTHING,
    SIMILAR,
    SIMILAR,
    ALL_OR_NOTHING,
    SIMILAR,
    SIMILAR,
    SIMILAR,
    SIMILAR,
)
"""Runs of the first size of the peak and of the bottom generalize fully or not at all; others agree."""


def _rising() -> tuple[float, ...]:
    """0.4 at size 4, 0.7 at 8, 0.98 at 24, and 1 at 128."""
    levels = np.interp(np.log2(HIDDEN), [2, 3, np.log2(24), 7], [0.4, 0.7, 0.98, 1])
    return tuple(float(level) for level in levels)


RISING = _rising()
NEAR_PERFECT = Levels(RISING), LINE
"""Final accuracy that only rises, and is near-perfect from size 24 on."""
NEAR_PERFECT_AGREEING = Levels(RISING, AGREEING), LINE
"""The same, with runs of one size that hardly differ."""


def notched(depth: float) -> Simulated:
    """`NEAR_PERFECT`, but sizes 28, 32 and 36 lie below the mean of the three sizes before them."""
    levels = np.clip(RISING, 0.01, 0.99)
    first = int(np.flatnonzero(HIDDEN == 28)[0])
    levels[first : first + 3] = levels[first - 3 : first].mean() - depth
    return Levels(tuple(float(level) for level in levels)), LINE


def depth_with_failures(share: float, hidden_sizes: Sequence[int]) -> float:
    """The depth of the dip in `NEAR_PERFECT_AGREEING` where a share of runs fails at these sizes."""
    levels = np.array(RISING)
    levels = levels - share * np.isin(HIDDEN, hidden_sizes) * (levels - FAILED)
    width = len(hidden_sizes)
    return exact_depth(levels, Groups.of(len(levels), width, 2 * width - 1))
