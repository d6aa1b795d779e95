"""Whether the dip of double descent is deeper for a task that is harder to generalize.

Estimated is the difference in depth between the dips of two experiments, the harder task's minus the
easier task's. Each depth and its interval are those of `double_descent`; a depth below zero counts as zero,
since a task without a dip has none to be deeper than. The interval of the difference is recovered from the
two intervals (MOVER, Zou and Donner 2008).

With the option `places` both dips are measured at the same declared sizes, and the confidence distributions
of the two depths are melded (`grokbench.statistics.dip_at_places`).

Source: Huang et al. 2024 (arXiv:2402.15175), takeaway 6, Fig. 7.

Assumptions: those of `double_descent`, and independent experiments.
"""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.double_descent import (
    Dip,
    DoubleDescentOptions,
    dip_at_places,
    find_dip,
    wider_than_the_grid,
)
from grokbench.statistics.intervals import Interval


class DeeperDoubleDescent(Detector):
    """How much deeper the dip is for the harder task than for the easier one.

    An easier task without a dip counts as depth zero, so the harder task must have a dip of its own.
    Each depth and its interval are those of `double_descent`; the interval of their difference
    takes the experiments as independent. With `places` both dips are measured at the same declared
    sizes. Huang et al. 2024, takeaway 6, Fig. 7.
    """

    name = "deeper_double_descent"
    Options = DoubleDescentOptions
    roles = ("easier", "harder")
    drawn_by = "grokbench.report.figures.sizes:against_model_size"
    figure_spans = ("model_size",)
    figure_ignores = ("smoothing", "width", "cautious")

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        if self.options.places is not None:
            return self._find_at_places(data)
        easier, harder = (self.once(find_dip, data[role], self.options) for role in self.roles)
        depths = [dip.depth.interval(self.confidence) for dip in (harder, easier)]
        deeper = difference(depths[0], _at_least_zero(depths[1]))
        return Finding(
            effect=deeper.estimate,
            low=deeper.low,
            high=deeper.high,
            unit="difference in depth of the dip in final accuracy",
            seeds=min(easier.depth.seeds, harder.depth.seeds),
            evidence=(
                f"depth of the dip for the harder task: {_words(harder)}; for the easier task: "
                f"{_words(easier)}"
            ),
            details={"easier": easier.depth.estimate, "harder": harder.depth.estimate},
        )

    def _find_at_places(self, data: Mapping[str, xr.Dataset]) -> Finding:
        easier, harder = (self.once(dip_at_places, data[role], self.options) for role in self.roles)
        depths = {"easier": easier.dip.depths, "harder": harder.dip.depths}
        deeper = depths["harder"].less(depths["easier"].or_zero(), self.confidence)
        return Finding(
            effect=deeper.estimate,
            low=deeper.low,
            high=min(deeper.high, 1.0),
            unit="difference in depth of the dip in final accuracy, at the declared sizes",
            seeds=min(easier.dip.seeds, harder.dip.seeds),
            evidence=f"for the harder task {harder.evidence}; for the easier task {easier.evidence}",
            details={role: depth.estimate for role, depth in depths.items()},
        )


def difference(first: Interval, second: Interval) -> Interval:
    """Interval of first − second, for independent estimates, recovered from their intervals.

    The margin of the difference at an end is the root of the sum of the squares of the two margins
    that count there (Zou and Donner 2008, Statistics in Medicine 27, MOVER).
    """
    estimate = first.estimate - second.estimate
    below = (first.estimate - first.low, second.high - second.estimate)
    above = (first.high - first.estimate, second.estimate - second.low)
    low, high = (sum(margin**2 for margin in end) ** 0.5 for end in (below, above))
    return Interval(estimate, estimate - low, estimate + high)


def _at_least_zero(depth: Interval) -> Interval:
    return Interval(*(max(0.0, end) for end in (depth.estimate, depth.low, depth.high)))


def _words(dip: Dip) -> str:
    if dip.depth.estimate > 0:
        return f"{dip.depth.estimate:.2f}, at size {dip.sizes[1]}"
    return f"none was found ({dip.depth.estimate:z.2f})".replace("-", "−")
