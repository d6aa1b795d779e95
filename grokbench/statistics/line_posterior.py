"""Trials that succeed beyond a line: the posterior of the line, and predicted probabilities.

*Model.* A trial at the position x and the height y succeeds with the probability

    F((y - level - slope · x) / scale),   F(u) = 1 / (1 + exp(-u)),

so the line marks the heights at which half of the trials succeed, and the scale says how sharply.
Level and slope have independent normal priors, and so has log2 of the scale. The prior keeps the
posterior proper where all trials above a line succeed and all below fail (separation).

*Method.* The posterior is computed on a grid of three parameters, which is narrowed until it fits
the region that matters. A predicted probability is the mean of F over the posterior, and thus allows
for what the trials leave open about the line. A prediction without some trials uses the same grid
with these trials' likelihood divided out.

Source of the model: logistic regression with weak priors (Gelman, Jakulin, Pittau and Su 2008,
Annals of Applied Statistics 2, 1360–1383).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from grokbench.statistics.intervals import Floats

POINTS = (19, 19, 9)
"""Points of the grid along level, slope and log2 of the scale."""

DEEPEST = 12.0
"""Points whose posterior density is exp(-DEEPEST) of the largest, or less, are left out."""

NARROWINGS = 12
"""At most; the grid is kept as soon as the next one would have 4/5 of its volume or more."""


@dataclass(frozen=True)
class Normal:
    """A normal prior of one parameter."""

    mean: float
    deviation: float

    def log_density(self, values: Floats) -> Floats:
        """Up to a constant."""
        return np.asarray(-0.5 * ((values - self.mean) / self.deviation) ** 2)


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """A posterior on points, for trials in cells and for targets that are to be predicted."""

    log_prior: Floats
    """[points]"""
    log_likelihood: Floats
    """Of one failure and of one success in each cell, [points, cells, 2]."""
    probabilities: Floats
    """Of a success at each target, [points, targets]."""

    def predict(self, trials: Floats, left_out: npt.NDArray[np.int64]) -> Floats:
        """The probability of a success at each target, [targets].

        Args:
            trials: the numbers of failures and of successes in each cell, [cells, 2]; need not be
                whole numbers.
            left_out: the cell whose trials must not be used for a target, [targets]; -1 for none.
        """
        by_cell = np.einsum("pck,ck->pc", self.log_likelihood, trials)
        posterior = self.log_prior + by_cell.sum(axis=1)
        without = posterior[:, None] - np.where(left_out >= 0, by_cell[:, left_out], 0.0)
        weights = np.exp(without - without.max(axis=0))
        return np.asarray((weights * self.probabilities).sum(axis=0) / weights.sum(axis=0))


def log_likelihood(u: Floats) -> Floats:
    """Of one failure and of one success, [..., 2], where a success has the probability F(u)."""
    return np.stack([-np.logaddexp(0, u), -np.logaddexp(0, -u)], axis=-1)


@dataclass(frozen=True)
class LinePrior:
    level: Normal
    slope: Normal
    log2_scale: Normal


def line_posterior(
    cells: tuple[Floats, Floats],
    targets: tuple[Floats, Floats],
    trials: Floats,
    prior: LinePrior,
) -> GridPosterior:
    """The posterior of a line.

    Args:
        cells: positions x and heights y of the trials, each [cells].
        targets: positions and heights at which successes are to be predicted, each [targets].
        trials: the numbers of failures and of successes, [cells, 2], with which the grid is laid
            out. Every prediction names its own trials; they may be a part of these.
        prior: of the level at the mean position of the trials, the slope, and log2 of the scale.
    """
    x, y = cells
    number = trials.sum(axis=1)
    # About the middle of the trials, an error of the slope hardly changes the level.
    centre = float((number * x).sum() / number.sum()) if number.sum() else float(x.mean())
    priors = (prior.level, prior.slope, prior.log2_scale)
    # Ranges that hold all but a thousandth of the prior.
    wide = np.array(
        [[one.mean - 3.3 * one.deviation, one.mean + 3.3 * one.deviation] for one in priors]
    )
    box, used = wide, number > 0
    for _ in range(NARROWINGS):
        points, steps = _grid(box)
        log_prior = sum(one.log_density(points[:, k]) for k, one in enumerate(priors))
        u = _heights(points, centre, x[used], y[used])
        density = log_prior + np.einsum("pck,ck->p", log_likelihood(u), trials[used])
        kept = density > density.max() - DEEPEST
        found = points[kept]
        # One step further out than the outermost point that matters, but never beyond the prior.
        low = np.maximum(found.min(axis=0) - steps, wide[:, 0])
        high = np.minimum(found.max(axis=0) + steps, wide[:, 1])
        shrunk = ((high - low) / (box[:, 1] - box[:, 0])).prod()
        if shrunk > 0.8:
            break
        box = np.stack([low, high], axis=1)
    points = points[kept]
    return GridPosterior(
        np.asarray(log_prior)[kept],
        log_likelihood(_heights(points, centre, x, y)),
        expit(_heights(points, centre, *targets)),
    )


def _grid(box: Floats) -> tuple[Floats, Floats]:
    """The points of a box, [points, 3], and their distances along each parameter, [3]."""
    axes = [np.linspace(low, high, number) for (low, high), number in zip(box, POINTS, strict=True)]
    steps = np.array([axis[1] - axis[0] for axis in axes])
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)), steps


def _heights(points: Floats, centre: float, x: Floats, y: Floats) -> Floats:
    """Heights above each line in its scale, [points, n]."""
    level, slope, log2_scale = points.T[..., None]
    return np.asarray((y - level - slope * (x - centre)) / np.exp2(log2_scale))
