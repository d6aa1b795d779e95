"""Lines over a grid: the mean over seeds, its interval, and the single seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from grokbench.amounts import count
from grokbench.plain import in_figure
from grokbench.report.palette import Stroke
from grokbench.report.scales import amount
from grokbench.statistics.intervals import Floats, t_interval


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a figure.

    `positions` is [points]; `values` is [points, seeds], NaN where there is no finished run.
    """

    label: str
    positions: Floats
    values: Floats

    @property
    def mean(self) -> Floats:
        """The mean over the finished seeds; NaN, which leaves a gap, where there are none."""
        counts = self.seeds
        total = np.nansum(self.values, axis=1)
        return np.asarray(total / np.where(counts > 0, counts, np.nan))

    @property
    def best(self) -> Floats:
        """The highest seed; NaN where there are none."""
        highest = np.where(np.isnan(self.values), -np.inf, self.values).max(axis=1)
        return np.asarray(np.where(np.isfinite(highest), highest, np.nan))

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the 95 % t-interval of the mean; NaN for fewer than two seeds."""
        low, high = np.full((2, len(self.values)), np.nan)
        for index, row in enumerate(self.values):
            known = row[~np.isnan(row)]
            if len(known) > 1:
                found = t_interval(known)
                low[index], high[index] = found.low, found.high
        return low, high

    @property
    def seeds(self) -> Floats:
        """How many finished seeds each point has."""
        return np.asarray((~np.isnan(self.values)).sum(axis=1), float)


def lines_over(values: xr.DataArray, along: str, by: str, positions: Floats) -> list[Line]:
    """A line for each value of `by`, over the dimension `along`, which lies at `positions`.

    `values` has the dimensions `along`, `by` and `seed`, and no other.
    """
    table = values.transpose(by, along, "seed").to_numpy()
    return [
        Line(str(label), positions, rows)
        for label, rows in zip(values[by].to_numpy().tolist(), table, strict=True)
    ]


def draw_line(
    axes: Axes,
    line: Line,
    stroke: Stroke,
    among: int = 1,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Line2D:
    """Draw the mean with its markers, the interval as a band, and the seeds as dots.

    The band is cut off at the ends of `within`. It is paler the more lines share the axes (`among`).
    """
    low, high = (np.clip(end, *within) for end in line.interval)
    # Bands overlap: with many lines they must be pale enough to leave the lines visible.
    axes.fill_between(
        line.positions, low, high, color=stroke.colour, alpha=min(0.14, 0.6 / among), linewidth=0
    )
    across = np.repeat(line.positions[:, None], line.values.shape[1], axis=1)
    axes.scatter(across, line.values, s=7, color=stroke.colour, alpha=0.35, linewidths=0)
    (mean,) = axes.plot(
        line.positions,
        line.mean,
        color=stroke.colour,
        linestyle=stroke.dash,
        marker=stroke.marker,
        markeredgecolor="white",
        markeredgewidth=0.6,
        label=in_figure(line.label),
    )
    return mean


def summary(line: Line) -> str:
    """Where a line starts, is lowest, is highest and ends, in words."""
    known = ~np.isnan(line.mean) & ~np.isnan(line.positions)
    if not known.any():
        return "no finished run"
    positions, mean = line.positions[known], line.mean[known]

    def at(index: int | np.intp) -> str:
        return f"{mean[index]:.2f} at {amount(positions[index])}"

    return (
        f"starts with {at(0)}, is lowest with {at(mean.argmin())}, "
        f"highest with {at(mean.argmax())}, and ends with {at(-1)}"
    )


def seeds_behind(lines: Sequence[Line]) -> str:
    """`5 seeds at each point`, `3 to 5 seeds at each point`; gaps are not counted."""
    counts = np.concatenate([line.seeds for line in lines]) if lines else np.zeros(0)
    counts = counts[counts > 0]
    if not counts.size:
        return "no finished run"
    fewest, most = int(counts.min()), int(counts.max())
    if fewest == most:
        return f"{count(most, 'seed')} at each point"
    return f"{fewest} to {most} seeds at each point"


WHAT_IS_DRAWN = (
    "Lines are means over seeds, bands are 95 % t-intervals, dots are single seeds, and gaps are "
    "cells without a finished run."
)
CUT = "Bands are cut off at 0 and 1."
