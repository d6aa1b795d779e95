"""Intervals for what several experiments' seeds decide together: one seed is left out at a time.

The jackknife needs no random numbers, so no order of seeds matters and the same data give the same
interval. Its variance has no bias downwards from few seeds, as the bootstrap's has (a factor of
(n - 1)/n), and Student's t widens the interval further where few seeds vary. Percentiles of a
bootstrap do neither, which is why they cover too little with 3 or 5 seeds (Hesterberg 2015,
The American Statistician 69, § 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from grokbench.statistics.intervals import Floats, Interval


@dataclass(frozen=True, eq=False)
class Replicates:
    """A number, and what it would be had the experiments come out a little differently.

    An end is infinite where some replicate is.
    """

    value: float
    left_out: Sequence[Floats]
    """For each independent group of seeds, the number without each one of them: [seeds]."""
    moved: Floats = field(default_factory=lambda: np.zeros(0))
    """The number with each source of rounding moved by one standard deviation: [sources]."""

    @property
    def variance(self) -> float:
        return sum(map(jackknife_variance, self.left_out)) + self._rounding

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance, by Welch and Satterthwaite; rounding has no spread."""
        parts = [(jackknife_variance(group), len(group) - 1) for group in self.left_out]
        spread = sum(part**2 / freedom for part, freedom in parts)
        return self.variance**2 / spread if spread > 0 else math.inf

    @property
    def _rounding(self) -> float:
        moved = self.moved[np.isfinite(self.moved)]
        return float(((moved - self.value) ** 2).sum())

    def interval(self, confidence: float) -> Interval:
        """The value and its two-sided interval."""
        half = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * math.sqrt(self.variance)
        all_of_them = np.concatenate([*self.left_out, self.moved])
        return Interval(
            self.value,
            -math.inf if (all_of_them == -np.inf).any() else self.value - half,
            math.inf if (all_of_them == np.inf).any() else self.value + half,
        )


def jackknife_variance(left_out: Floats) -> float:
    """The variance of an estimate from its values without each of n seeds (Efron and Stein 1981)."""
    known = left_out[np.isfinite(left_out)]
    if len(known) < 2:
        return 0.0
    return float((len(known) - 1) / len(known) * ((known - known.mean()) ** 2).sum())
