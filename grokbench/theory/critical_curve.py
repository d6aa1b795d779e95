"""The critical curve of Huang et al. 2024, Fig. 1: the data size a model needs to generalize."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.readout import log2_parameters, without_empty_seeds
from grokbench.readout.critical_data_size import critical_data_size_brackets
from grokbench.statistics.interval_regression import (
    IntervalRegression,
    Prior,
    rounding_deviation,
)
from grokbench.statistics.intervals import Bools, Floats
from grokbench.statistics.jackknife import Replicates

LEVEL_DEVIATION = 2.0
"""Prior standard deviation of the level (doublings of data), about the middle of the data sizes."""

SLOPE_DEVIATION = 1.0
"""Prior standard deviation of the slope (doublings of data per doubling of parameters), about 0."""

DEFAULT_WIDTH = 0.25
"""The width of brackets (doublings of data) that a fit assumes if none is closed at both ends."""


@dataclass(frozen=True, eq=False)
class CriticalBrackets:
    """The data sizes between which the critical data size of each model size and seed lies.

    `lower` and `upper` are log2 of data sizes, [sizes, seeds]. `lower` is minus infinity where all
    data sizes were enough, `upper` is infinity where no data size above `lower` was enough. Both
    are NaN where no run finished.
    """

    sizes: Floats
    """log2 of the parameters, [sizes]."""
    seeds: npt.NDArray[np.int64]
    """Labels of the seeds."""
    lower: Floats
    upper: Floats
    middle: float
    """log2 of the (geometric) middle of the data sizes tried."""

    @property
    def known(self) -> Bools:
        """Which brackets can be fitted, [sizes, seeds]."""
        return ~np.isnan(self.lower) & ~np.isnan(self.sizes)[:, None]

    @property
    def widths(self) -> Floats:
        """The median width of each size's brackets closed at both ends, [sizes]; 0 without any."""
        closed = np.isfinite(self.lower) & np.isfinite(self.upper)
        return np.array(
            [
                float(np.median((high - low)[row])) if row.any() else 0.0
                for low, high, row in zip(self.lower, self.upper, closed, strict=True)
            ]
        )

    @property
    def measured(self) -> int:
        """At how many sizes some seed's bracket is closed at both ends.

        With fewer than two, no slope was measured: the prior alone decides the curve's slope.
        """
        closed = np.isfinite(self.lower) & np.isfinite(self.upper) & self.known
        return int(closed.any(axis=1).sum())

    @property
    def agree(self) -> Bools:
        """At which sizes all seeds have the same bracket, closed at both ends, [sizes]."""
        closed = np.isfinite(self.lower) & np.isfinite(self.upper) | ~self.known
        return np.array(
            [
                bool(row.all()) and all(len(np.unique(end[~np.isnan(end)])) == 1 for end in ends)
                for row, *ends in zip(closed, self.lower, self.upper, strict=True)
            ]
        )


def critical_brackets(
    critical: xr.Dataset, threshold: float, part: str | None = None
) -> CriticalBrackets:
    """log2 of `critical_data_size_brackets`, with the same arguments and errors."""
    found = critical_data_size_brackets(without_empty_seeds(critical), threshold, part)
    data_sizes = critical["data_size"].to_numpy().astype(float)
    with np.errstate(divide="ignore"):  # A lower end of 0 becomes minus infinity.
        lower, upper = (
            np.log2(found[end].transpose("model_size", "seed").to_numpy())
            for end in ("lower", "upper")
        )
    middle = float(np.log2([data_sizes.min(), data_sizes.max()]).mean())
    return CriticalBrackets(log2_parameters(found), found["seed"].to_numpy(), lower, upper, middle)


@dataclass(frozen=True, eq=False)
class CriticalCurve:
    """log2 of the critical data size: a power law of the parameters."""

    centre: float
    """log2 of the parameters at which `levels` holds."""
    levels: Replicates
    """log2 of the critical data size at `centre`, [] (a number)."""
    slopes: Replicates
    """Doublings of the critical data size per doubling of the parameters, [] (a number)."""
    seeds: npt.NDArray[np.int64]
    """Labels of the seeds that the curve rests on."""
    smallest: float
    """log2 of the parameters of the smallest model that the curve rests on."""
    largest: float
    """log2 of the parameters of the largest model that the curve rests on."""

    def check_seeds(self) -> None:
        """Check that a variance between seeds can be estimated.

        Raises:
            NotEnoughDataError: there is one seed only.
        """
        if len(self.seeds) < 2:
            raise NotEnoughDataError(
                "an interval needs a critical curve of two seeds or more with finished runs; "
                f"there is {len(self.seeds)}"
            )

    def at(self, sizes: Floats) -> Replicates:
        """log2 of the critical data size, [n], of models with these log2 of parameters, [n]."""
        return self.levels.map(
            lambda level, slope: level + slope * (np.asarray(sizes) - self.centre), self.slopes
        )


def critical_curve(
    brackets: CriticalBrackets, without: Bools | None = None, *, agreement: bool = False
) -> CriticalCurve:
    """Fit a power law to the brackets, maximum a posteriori.

    log2 of a seed's critical data size has a logistic distribution about a line in log2 of the
    parameters (`IntervalRegression`). A wide prior decides where the brackets leave level or slope
    open, and hardly matters elsewhere.

    The curve has a replicate without each seed, and a replicate for each model size, in which the
    brackets of that size are moved by the standard deviation of their rounding error
    (`rounding_deviation`).

    Args:
        brackets: of the critical experiment.
        without: model sizes to leave out, bool [sizes].
        agreement: whether a size whose seeds all have the same bracket has the whole rounding error of
            that bracket. Otherwise all sizes have the part that is left where values spread as much as
            those of all sizes do, which is too little for such a size.

    Raises:
        NotEnoughDataError: fewer than two model sizes are left.
    """
    known = brackets.known if without is None else brackets.known & ~without[:, None]
    fitted = np.unique(brackets.sizes[known.any(axis=1)])
    if len(fitted) < 2:
        raise NotEnoughDataError(
            "a critical curve needs finished runs at two model sizes or more (three, where "
            f"each in turn is predicted from the others), not {len(fitted)}"
        )
    size, seed = np.nonzero(known)
    # About the middle of the models, an error of the slope hardly changes the level.
    centre = float(brackets.sizes[size].mean())
    regression = IntervalRegression(
        brackets.sizes[size] - centre,
        brackets.lower[known],
        brackets.upper[known],
        Prior(brackets.middle, LEVEL_DEVIATION, SLOPE_DEVIATION),
    )
    # Width 0 means no rounding error: a size is left out, or has no bracket closed at both ends.
    widths = np.where(known.any(axis=1), brackets.widths, 0)
    typical = float(np.median(widths[widths > 0])) if (widths > 0).any() else DEFAULT_WIDTH
    scale, fitted_with = regression.likeliest_scale(typical)
    # Rows: all seeds; without each seed (weight 0); with each model size's brackets moved.
    seeds, sizes = len(brackets.seeds), len(brackets.sizes)
    weights = np.ones((1 + seeds + sizes, len(size)))
    weights[1 : 1 + seeds] = seed != np.arange(seeds)[:, None]
    rounding = rounding_deviation(widths, scale, typical)
    if agreement:
        whole = rounding_deviation(widths, 0.0, typical)
        rounding = np.where(brackets.agree, whole, rounding)
    shifts = np.zeros_like(weights)
    shifts[1 + seeds :] = np.where(size == np.arange(sizes)[:, None], rounding[size], 0)
    levels, slopes = regression.fit(fitted_with, weights, shifts)
    return CriticalCurve(
        centre,
        Replicates.from_rows(levels, seeds),
        Replicates.from_rows(slopes, seeds),
        brackets.seeds,
        float(fitted[0]),
        float(fitted[-1]),
    )
