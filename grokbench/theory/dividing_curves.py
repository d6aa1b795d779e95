"""The two curves that divide Fig. 1 of Huang et al. 2024, with what their seeds leave open.

Each is fitted once to all seeds and once without each of them (rows of replicates, the first of
which is the fit to all), so that whatever is read off the curves has a jackknife interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize import isotonic_regression
from scipy.special import expit

from grokbench.errors import NotEnoughDataError
from grokbench.readout.critical_data_size import critical_data_size_brackets
from grokbench.readout.curves import canonical, finished, of_part, settled, single_curve
from grokbench.statistics.intervals import Floats
from grokbench.theory.mirrors import Pairs

Bools = npt.NDArray[np.bool_]

SLOPE = 1.0
"""The spread of slopes expected beforehand (doublings of data a doubling of parameters), about 0."""

LEVEL = 2.0
"""The spread of levels expected beforehand (doublings), about the middle of the data sizes."""

ITERATIONS = 300


def log2_parameters(dataset: xr.Dataset) -> Floats:
    """log2 of each model size's parameters; NaN where they are not known."""
    parameters = dataset["parameters"].to_numpy().astype(float)
    return np.asarray(np.log2(np.where(parameters > 0, parameters, np.nan)))


@dataclass(frozen=True, eq=False)
class CapacityCurve:
    """log2 of how many labels a model holds: monotone between sizes, a power law beyond them."""

    sizes: Floats
    """log2 of the parameters, [sizes], ascending."""
    labels: Floats
    """log2 of the labels held, [1 + seeds, sizes]: by all seeds, and without each."""
    slopes: Floats
    """Of the power law beyond the sizes, [1 + seeds]."""
    saturated: Bools
    """Where the capacity is only known to be at least so large, [sizes]."""

    @property
    def seeds(self) -> int:
        """How many seeds it rests on."""
        return len(self.labels) - 1

    def at(self, sizes: Floats, pairs: Pairs) -> Floats:
        """log2 of how many of the target's examples models of these sizes hold: [1 + seeds, n]."""
        below = np.minimum(sizes - self.sizes[0], 0)
        above = np.maximum(sizes - self.sizes[-1], 0)
        held = [
            np.interp(sizes, self.sizes, row) + slope * (below + above)
            for row, slope in zip(self.labels, self.slopes, strict=True)
        ]
        return np.asarray(np.log2(pairs.examples(np.exp2(held))))


def capacity_curve(memorization: xr.Dataset, pairs: Pairs, saturated_at: float) -> CapacityCurve:
    """The capacity curve of an experiment on random labels.

    A model holds the share of its labels that it has right in the end, less what guessing gets
    right; at the least as much as guessing does. Of the sizes that hold everything (`saturated_at`
    of it or more) only the smallest counts, as the bound that it is. The means over seeds
    are made monotone (isotonic regression of their logarithms), since the theory has the capacity
    rise, and beyond the sizes tried they go on as the line that fits them best.

    Raises:
        NotEnoughDataError: fewer than two model sizes with finished runs of two seeds, or more
            than one data size or value of a swept field.
    """
    data = single_curve(of_part(canonical(memorization), None), "model_size", "seed")
    data = _with_runs(data)
    accuracy = settled(data, "train_accuracy").transpose("model_size", "seed").to_numpy()
    examples = data["train_examples"].transpose("model_size", "seed").to_numpy()
    chance = 1 / pairs.modulus if pairs.modulus else 0.0
    least = chance or 1 / max(int(examples.max(initial=1)), 1)
    held = np.clip((accuracy - chance) / (1 - chance), least, 1) * pairs.labels(examples)
    sizes = log2_parameters(data)
    full = _means(accuracy)[0] >= saturated_at
    counted = ((~np.isnan(held)).sum(axis=1) >= 2) & ~np.isnan(sizes)
    first_full = np.flatnonzero(counted & full)[:1]
    kept = np.flatnonzero(counted & (~full | np.isin(np.arange(len(full)), first_full)))
    if len(kept) < 2:
        raise NotEnoughDataError(
            "a capacity curve needs finished runs of two seeds at two model sizes, at one of which "
            f"they do not hold everything; there are {len(kept)} such sizes"
        )
    means = np.log2(_means(held[kept]))
    return CapacityCurve(
        sizes[kept],
        np.array([isotonic_regression(row).x for row in means]),
        np.array([max(np.polyfit(sizes[kept], row, 1)[0], 0.0) for row in means]),
        full[kept],
    )


def _with_runs(data: xr.Dataset) -> xr.Dataset:
    """Without the seeds none of whose runs finished: they are no replicates."""
    done = finished(data)
    other = [dimension for dimension in done.dims if dimension != "seed"]
    return data.isel(seed=np.flatnonzero(done.any(other)))


def _means(values: Floats) -> Floats:
    """Means over seeds of [sizes, seeds]: over all, and without each: [1 + seeds, sizes]."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(axis=1), known.sum(axis=1)
    with_all = total[None], count[None]
    without = (total - np.where(known, values, 0).T, count - known.T)
    return np.concatenate(
        [
            np.where(number > 0, summed / np.maximum(number, 1), np.nan)
            for summed, number in (with_all, without)
        ]
    )


@dataclass(frozen=True, eq=False)
class CriticalBrackets:
    """Between which two data sizes each run's critical one lies: log2, [sizes, seeds].

    Minus infinity or infinity where the grid does not reach, NaN where nothing is known.
    """

    sizes: Floats
    """log2 of the parameters."""
    seeds: npt.NDArray[np.int64]
    lower: Floats
    upper: Floats
    middle: float
    """log2 of the middle of the data sizes tried."""

    @property
    def known(self) -> Bools:
        return ~np.isnan(self.lower) & ~np.isnan(self.sizes)[:, None]

    @property
    def widths(self) -> Floats:
        """How wide each size's brackets are, in the median of those closed at both ends; 0 if none."""
        closed = np.isfinite(self.lower) & np.isfinite(self.upper)
        return np.array(
            [
                float(np.median((high - low)[row])) if row.any() else 0.0
                for low, high, row in zip(self.lower, self.upper, closed, strict=True)
            ]
        )


def critical_brackets(
    critical: xr.Dataset, threshold: float, part: str | None = None
) -> CriticalBrackets:
    """The brackets of `critical_data_size_brackets`, as logarithms."""
    found = critical_data_size_brackets(_with_runs(critical), threshold, part)
    data_sizes = critical["data_size"].to_numpy().astype(float)
    with np.errstate(divide="ignore"):
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
    """The log2 of the parameters at which `levels` holds."""
    levels: Floats
    """[1 + seeds + sizes]: by all seeds, without each, and with each size's brackets moved."""
    slopes: Floats
    seeds: npt.NDArray[np.int64]
    smallest: float
    """log2 of the parameters of the smallest and the largest model that it rests on."""
    largest: float

    def check_seeds(self) -> None:
        """See that there are seeds to learn from how much it varies.

        Raises:
            NotEnoughDataError: there is one.
        """
        if len(self.seeds) < 2:
            raise NotEnoughDataError(
                "an interval needs a critical-size curve of two seeds or more with finished runs; "
                f"there is {len(self.seeds)}"
            )

    def at(self, sizes: Floats) -> Floats:
        """log2 of the critical data sizes at these sizes: [1 + seeds + fitted sizes, n]."""
        levels = self.levels[:, None]
        return np.asarray(levels + self.slopes[:, None] * (np.asarray(sizes) - self.centre))


def critical_curve(brackets: CriticalBrackets, without: Bools | None = None) -> CriticalCurve:
    """The power law under which the brackets are likeliest.

    log2 of a run's critical data size is taken to be logistic about a line in log2 of the
    parameters, and known only to lie in its bracket. Where brackets leave level or slope open, a
    wide normal expectation beforehand (LEVEL, SLOPE) decides; elsewhere it hardly weighs. The
    spread is the likeliest of a few multiples of the brackets' width; for the fit at least a quarter
    of it, so that a line is drawn to the middle of what all seeds share.

    Besides the replicates without each seed there is one for each model size, whose brackets are
    moved by the standard deviation of a rounding error: seeds share the grid, and cannot show how
    coarse it is. That is the brackets' width over √12 where all seeds share one bracket, and less
    the more they spread over several (by the characteristic function of their distribution:
    Widrow and Kollár 2008, Quantization Noise, on dither).

    Args:
        brackets: of the critical experiment.
        without: model sizes to leave out, bool [sizes].

    Raises:
        NotEnoughDataError: fewer than two model sizes are left.
    """
    known = brackets.known if without is None else brackets.known & ~without[:, None]
    tried = np.unique(brackets.sizes[known.any(axis=1)])
    if len(tried) < 2:
        raise NotEnoughDataError(
            "a critical-size curve needs finished runs at two model sizes or more (three, where "
            f"each in turn is predicted from the others); there are {len(tried)}"
        )
    size, seed = np.nonzero(known)
    widths = np.where(known.any(axis=1), brackets.widths, 0)
    seeds, sizes = len(brackets.seeds), len(brackets.sizes)
    weights = np.ones((1 + seeds + sizes, len(size)))
    weights[1 : 1 + seeds] = seed != np.arange(seeds)[:, None]
    centre = float(brackets.sizes[size].mean())
    line = _Line(
        brackets.sizes[size] - centre, brackets.lower[known], brackets.upper[known], brackets.middle
    )
    width = float(np.median(widths[widths > 0])) if (widths > 0).any() else 0.25
    spread, fitted_with = line.likeliest(width)
    moves = np.zeros_like(weights)
    rounding = np.divide(widths, np.sqrt(12)) * _undithered(spread, width)
    moves[1 + seeds :] = np.where(size == np.arange(sizes)[:, None], rounding[size], 0)
    levels, slopes = line.fitted(fitted_with, weights, moves)
    return CriticalCurve(centre, levels, slopes, brackets.seeds, float(tried[0]), float(tried[-1]))


def _undithered(spread: float, width: float) -> float:
    """The share of a rounding error that is left where values spread logistically over brackets."""
    turns = 2 * np.pi**2 * spread / width
    return float(turns / np.sinh(turns))


@dataclass(frozen=True, eq=False)
class _Line:
    """CriticalBrackets about a line: positions x, lower and upper ends, all [runs]."""

    x: Floats
    lower: Floats
    upper: Floats
    middle: float

    def fitted(self, spread: float, weights: Floats, moves: Floats) -> tuple[Floats, Floats]:
        """Levels and slopes for each row of weights and moves ([rows, runs]), by Newton's method.

        With F the logistic distribution at a bracket's ends, the derivative of the logarithm of its
        probability by the line's height there is (F(lower) + F(upper) - 1) / spread, and the
        curvature the sum of the densities: strictly concave, so there is one maximum.
        """
        levels, slopes = np.full(len(weights), self.middle), np.zeros(len(weights))
        for _ in range(ITERATIONS):
            below, above = self._distribution(spread, levels, slopes, moves)
            pull = weights * (below + above - 1) / spread
            # Far from its bracket a run has no curvature; a floor keeps its step short.
            steep = below * (1 - below) + above * (1 - above)
            bend = weights * np.maximum(steep, 0.25) / spread**2
            gradient = (
                pull.sum(axis=1) - (levels - self.middle) / LEVEL**2,
                pull @ self.x - slopes / SLOPE**2,
            )
            a = bend.sum(axis=1) + LEVEL**-2
            b, c = bend @ self.x, bend @ self.x**2 + SLOPE**-2
            determinant = a * c - b**2
            step = (c * gradient[0] - b * gradient[1]) / determinant
            levels = levels + step
            turn = (a * gradient[1] - b * gradient[0]) / determinant
            slopes = slopes + turn
            if max(np.abs(step).max(), np.abs(turn).max()) < 1e-10:
                break
        return levels, slopes

    def likeliest(self, width: float) -> tuple[float, float]:
        """The likeliest spread of all runs about their line, and the one to fit the line with."""
        nothing = np.zeros((1, len(self.x)))
        tried = []
        for spread in width * 2.0 ** np.arange(-4, 4):
            fitted_with = max(spread, width / 4)
            line = self.fitted(fitted_with, nothing + 1, nothing)
            tried.append((self.plausibility(spread, *line), spread, fitted_with))
        return max(tried)[1:]

    def plausibility(self, spread: float, levels: Floats, slopes: Floats) -> float:
        """The logarithm of how likely the brackets are about a fitted line, and it beforehand."""
        nowhere = np.zeros((1, len(self.x)))
        below, above = self._distribution(spread, levels, slopes, nowhere)
        likely = np.log(np.maximum(above - below, 1e-300)).sum()
        expected = ((levels - self.middle) / LEVEL) ** 2 + (slopes / SLOPE) ** 2
        return float(likely - expected.sum() / 2)

    def _distribution(
        self, spread: float, levels: Floats, slopes: Floats, moves: Floats
    ) -> tuple[Floats, Floats]:
        heights = levels[:, None] + slopes[:, None] * self.x
        return (
            np.asarray(expit((self.lower + moves - heights) / spread)),
            np.asarray(expit((self.upper + moves - heights) / spread)),
        )
