"""Whether a task that is harder to generalize dips deeper."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.double_descent import DoubleDescentOptions, dip, wider_than_the_grid
from grokbench.statistics.dip_depth import Dip
from grokbench.statistics.intervals import Interval


class DeeperDoubleDescent(Detector):
    """How much deeper the dip is for the harder task than for the easier one.

    An easier task that does not dip counts as depth zero, so the harder one must dip itself.
    Each depth and its interval are those of `double_descent`; the interval of their difference
    joins them as independent (`difference`). Huang et al. 2024, takeaway 6, Fig. 7.
    """

    name = "deeper_double_descent"
    Options = DoubleDescentOptions
    roles = ("easier", "harder")
    drawn_by = "grokbench.report.figures.sizes:against_model_size"
    figure_spans = ("model_size",)

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        easier, harder = (dip(data[role], self.options) for role in self.roles)
        depths = [one.interval(self.confidence) for one in (harder, easier)]
        deeper = difference(depths[0], _at_least_none(depths[1]))
        return Finding(
            effect=deeper.estimate,
            low=deeper.low,
            high=deeper.high,
            unit="difference in depth of the dip in final accuracy",
            seeds=min(easier.seeds, harder.seeds),
            evidence=(
                f"depth of the dip for the harder task: {_words(harder)}; for the easier one: "
                f"{_words(easier)}"
            ),
            details={"easier": easier.depth, "harder": harder.depth},
        )


def difference(first: Interval, second: Interval) -> Interval:
    """The interval of a difference from those of two independent estimates.

    Each end is off by the root of the sum of the squares of what the two are off by there (Zou and
    Donner 2008, Statistics in Medicine 27).
    """
    estimate = first.estimate - second.estimate
    below = (first.estimate - first.low, second.high - second.estimate)
    above = (first.high - first.estimate, second.estimate - second.low)
    low, high = (sum(off**2 for off in end) ** 0.5 for end in (below, above))
    return Interval(estimate, estimate - low, estimate + high)


def _at_least_none(depth: Interval) -> Interval:
    """The depth where a dip that is not there is zero deep."""
    return Interval(*(max(0.0, end) for end in (depth.estimate, depth.low, depth.high)))


def _words(found: Dip) -> str:
    if found.depth > 0:
        return f"{found.depth:.2f}, at size {found.sizes[1]}"
    return f"none was found ({found.depth:z.2f})".replace("-", "−")
