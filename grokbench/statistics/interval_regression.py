"""Regression of interval-censored values on a line, with logistic errors, maximum a posteriori.

*Model.* A value is y = level + slope · x + scale · e, where e has the standard logistic
distribution F. Of y only an interval (lower, upper] is known; either end may be infinite. With the
height h = level + slope · x of the line, the likelihood of an interval is

    P(h) = F((upper - h)/scale) - F((lower - h)/scale).

Level and slope have independent normal priors, so a fit exists even where all intervals are open at
the same end. This is the log-logistic model of survival analysis in logarithms (Kalbfleisch and
Prentice 2002, The Statistical Analysis of Failure Time Data, § 2.2) with a prior.

*Method.* log P is concave in h, because the logistic density is log-concave (Pratt 1981, JASA 76,
103–106); with the prior there is exactly one maximum. Newton's method, with shortened steps where
log P has little curvature, climbs to the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from grokbench.statistics.intervals import Floats

ITERATIONS = 300
"""At most; the loop ends as soon as no step exceeds TOLERANCE.

Where the line is far inside all intervals, the likelihood is flat and the prior alone pulls the
line. LEAST_CURVATURE then keeps the steps short, and the loop may end before the maximum.
"""

TOLERANCE = 1e-10
"""In the unit of the values: far below every width of an interval, far above rounding errors."""

LEAST_CURVATURE = 0.25
"""The least curvature of log P that a step assumes, in units of 1/scale².

The curvature is 0.5 at most, where both ends of an interval lie on the line, and goes to 0 far from
the ends. A step that assumes half of the largest curvature or more never lowers the posterior.
"""

SCALES = 2.0 ** np.arange(-4, 4)
"""The scales tried, as multiples of the intervals' width: a sixteenth to eight times."""

LEAST_SCALE = 1 / 4
"""The smallest scale with which a line is fitted, as a multiple of the intervals' width."""


@dataclass(frozen=True)
class Prior:
    """Independent normal distributions: the level about `level`, the slope about 0."""

    level: float
    level_deviation: float
    slope_deviation: float


@dataclass(frozen=True, eq=False)
class IntervalRegression:
    """Interval-censored values at positions x, all [values], and the prior of their line."""

    x: Floats
    lower: Floats
    upper: Floats
    prior: Prior

    def fit(self, scale: float, weights: Floats, shifts: Floats) -> tuple[Floats, Floats]:
        """The most probable level and slope, for each row of weights and shifts.

        With F evaluated at the two ends of an interval, and its density f = F (1 - F),

            d log P / dh  = (F(lower) + F(upper) - 1) / scale
            d²log P / dh² = -(f(lower) + f(upper)) / scale².

        Args:
            scale: of the errors.
            weights: how often each value counts, [fits, values]; 0 leaves it out.
            shifts: what is added to both ends of each interval, [fits, values].

        Returns:
            Levels and slopes, each [fits].
        """
        # scipy.optimize fits one line at a time; here all rows share one loop of array operations.
        prior = self.prior
        levels, slopes = np.full(len(weights), prior.level), np.zeros(len(weights))
        for _ in range(ITERATIONS):
            below, above = self._distribution(scale, levels, slopes, shifts)
            derivative = weights * (below + above - 1) / scale
            # Where the line is far from the ends of an interval, log P is nearly linear: it has
            # hardly any curvature, and a full Newton step would overshoot. A larger curvature
            # shortens the step; the maximum, where the gradient is 0, stays where it is.
            densities = below * (1 - below) + above * (1 - above)
            curvature = weights * np.maximum(densities, LEAST_CURVATURE) / scale**2
            # Chain rule: the height of the line changes by 1 with the level, by x with the slope.
            gradient = (
                derivative.sum(axis=1) - (levels - prior.level) / prior.level_deviation**2,
                derivative @ self.x - slopes / prior.slope_deviation**2,
            )
            # The negative Hessian, with these curvatures, is [[a, b], [b, c]]: Cramer's rule.
            a = curvature.sum(axis=1) + prior.level_deviation**-2
            b, c = curvature @ self.x, curvature @ self.x**2 + prior.slope_deviation**-2
            determinant = a * c - b**2
            level_step = (c * gradient[0] - b * gradient[1]) / determinant
            slope_step = (a * gradient[1] - b * gradient[0]) / determinant
            levels, slopes = levels + level_step, slopes + slope_step
            if max(np.abs(level_step).max(), np.abs(slope_step).max()) < TOLERANCE:
                break
        return levels, slopes

    def likeliest_scale(self, width: float) -> tuple[float, float]:
        """The scale of the errors with the largest posterior density, out of SCALES.

        Where all values share one interval, the likelihood has no maximum: it grows as the scale
        goes to 0, wherever the line passes through the interval. The line is therefore fitted with
        a scale of at least LEAST_SCALE, which draws it to the intervals' middles.

        Args:
            width: a typical width of the intervals.

        Returns:
            The likeliest scale, and the scale to fit the line with.
        """
        unmoved = np.zeros((1, len(self.x)))
        tried = []
        for scale in width * SCALES:
            fitted_with = max(scale, width * LEAST_SCALE)
            line = self.fit(fitted_with, unmoved + 1, unmoved)
            tried.append((self.log_posterior(scale, *line), scale, fitted_with))
        return max(tried)[1:]

    def log_posterior(self, scale: float, levels: Floats, slopes: Floats) -> float:
        """The logarithm of the posterior density of one line, up to a constant."""
        prior = self.prior
        unmoved = np.zeros((1, len(self.x)))
        below, above = self._distribution(scale, levels, slopes, unmoved)
        # Far from its interval a value's probability underflows, or is the difference of two
        # numbers that round to 1. Its logarithm must stay finite.
        likelihood = np.log(np.maximum(above - below, 1e-300)).sum()
        deviations = ((levels - prior.level) / prior.level_deviation) ** 2 + (
            slopes / prior.slope_deviation
        ) ** 2
        return float(likelihood - deviations.sum() / 2)

    def _distribution(
        self, scale: float, levels: Floats, slopes: Floats, shifts: Floats
    ) -> tuple[Floats, Floats]:
        """F at the lower and at the upper end of each interval, [fits, values]."""
        heights = levels[:, None] + slopes[:, None] * self.x
        return (
            np.asarray(expit((self.lower + shifts - heights) / scale)),
            np.asarray(expit((self.upper + shifts - heights) / scale)),
        )


def rounding_deviation(width: float | Floats, scale: float, typical_width: float) -> Floats:
    """The standard deviation of an estimate's error that comes from rounding values to intervals.

    Where all values fall into one interval the error is uniform over the interval, and has the
    standard deviation width/√12. Where values spread over several intervals their errors average
    out, and less of the error remains: at most the share that the characteristic function of the
    values' distribution has at the frequency 2π/width (Widrow and Kollár 2008, Quantization Noise,
    on dither). For the logistic distribution this is t/sinh(t), with t = 2π² · scale/width.

    Args:
        width: of the intervals, any shape.
        scale: of the logistic distribution of the values; 0 where all fall into one interval.
        typical_width: the width in the formula for t, one for all intervals.
    """
    t = 2 * np.pi**2 * scale / typical_width
    return np.divide(width, np.sqrt(12)) * (float(t / np.sinh(t)) if t > 0 else 1.0)
