"""Location and slope of values of which only brackets are known, with intervals.

*Model.* A value is y = level + slope · x + scale · e, where e has the standard logistic distribution F. Of
each y only a bracket is known: lower < y < upper. Either end may be infinite: a run that was stopped before
something happened has no upper end (right-censored). With z for the ends in units of the scale, counted from
the line, the likelihood of a bracket is

    F(z of upper) - F(z of lower).

*Method.* The likelihood ratio: a location (or slope) belongs to the interval if the log-likelihood that it
lacks, twice, is at most

    n · log(1 + t² / (n - p)),

where t is the quantile of Student's t with n - p degrees of freedom, n the number of values, and p that of
level and slope. For normal errors and exactly known values, this is Student's t interval. For logistic errors
and brackets it is a correction for few values without a proof; `docs/detectors.md` says how often the
interval errs. All other parameters take their best values (profile likelihood).

Where all values but one at most are censored, they say nothing of the scale. The interval of the location is
then that of the median by the sign test: an order statistic of the brackets' ends. The slope has none.

*Sources.* Kalbfleisch and Prentice 2002, The Statistical Analysis of Failure Time Data, § 2.2 and 3.4
(log-logistic model, censoring); Cox and Hinkley 1974, Theoretical Statistics, § 9.3 (likelihood ratio). The
log-likelihood is concave in level/scale and 1/scale (Pratt 1981, JASA 76, 103–106), so that the values that are
not rejected form one interval. Sign test: Conover 1999, Practical Nonparametric Statistics, § 3.2 and 3.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, log_expit

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats, Interval, t_quantile

OFFSETS = np.sinh(np.linspace(0, 6.5, 40)) / 10
"""Distances at which the likelihood is computed to each side of the estimate, in standard errors. In between,
the root of the ratio is taken as linear. An end that lies farther off than the last one is infinite."""

SCALES = 2.0 ** np.arange(-4, 6, 0.5)
"""The scales that are tried, as multiples of the spread of the values."""

LEAST_SCALE = 1 / 4
"""The smallest scale, as a multiple of the brackets' typical width (see `interval_regression`)."""

ITERATIONS = 25
"""Newton steps for the level, at most; the loop ends as soon as no step exceeds NEAR."""

NEAR = 1e-3
"""In units of the scale. An error of this size changes the log-likelihood of each value by about 1e-7."""

LEAST_CURVATURE = 0.1
"""The least curvature of a bracket's log-likelihood that a step assumes, in units of 1/scale²."""

PLATEAU = 0.05
"""Values whose root of the likelihood ratio is below this are equally likely; the estimate is their middle,
or their finite end where they have only one."""


@dataclass(frozen=True, eq=False)
class Brackets:
    """Values that are known to lie between two ends, both [values]."""

    lower: Floats
    upper: Floats

    @property
    def known(self) -> Floats:
        """Which values have two finite ends, [values]."""
        return np.asarray(np.isfinite(self.lower) & np.isfinite(self.upper))

    @property
    def middles(self) -> Floats:
        """The middle of each bracket; the finite end of one that is open at one side."""
        lower = np.where(np.isfinite(self.lower), self.lower, self.upper)
        return np.asarray((lower + np.where(np.isfinite(self.upper), self.upper, lower)) / 2)

    def informative(self) -> Brackets:
        """Those with a finite end."""
        some = np.isfinite(self.lower) | np.isfinite(self.upper)
        return Brackets(self.lower[some], self.upper[some])


@dataclass(frozen=True, eq=False)
class Estimate:
    """A location or a slope, and how much less likely other values are."""

    estimate: float
    values: Floats
    """The values that were tried, ascending, [values]."""
    roots: Floats
    """The root of twice the log-likelihood that each of them lacks, [values]."""
    count: int
    """How many brackets there are."""
    freedom: int
    """Degrees of freedom of Student's t."""

    def interval(self, confidence: float) -> Interval:
        """The values that are not rejected. A higher confidence never gives a narrower interval."""
        t = t_quantile(self.freedom, confidence)
        critical = math.sqrt(self.count * math.log1p(t**2 / self.freedom))
        low, high = _hull(self.values, self.roots, critical)
        return Interval(self.estimate, min(low, self.estimate), max(high, self.estimate))


@dataclass(frozen=True, eq=False)
class Median:
    """A location of which nearly all values are censored."""

    brackets: Brackets

    @property
    def estimate(self) -> float:
        """The median of the brackets' middles; a bound where brackets are open."""
        return float(np.median(self.brackets.middles))

    def interval(self, confidence: float) -> Interval:
        """The interval of the median by the sign test."""
        count = len(self.brackets.lower)
        # The rank-th smallest lower end is above the median only if fewer than `rank` values are below.
        rank = int(stats.binom.ppf((1 - confidence) / 2, count, 0.5))
        low, high = -math.inf, math.inf
        if rank > 0:
            low = float(np.sort(self.brackets.lower)[rank - 1])
            high = float(np.sort(self.brackets.upper)[-rank])
        return Interval(self.estimate, min(low, self.estimate), max(high, self.estimate))


def location(brackets: Brackets) -> Estimate | Median:
    """The location of the values.

    Raises:
        NotEnoughDataError: fewer than two brackets with a finite end.
    """
    some = brackets.informative()
    if len(some.lower) < 2:
        raise NotEnoughDataError(
            f"an interval needs two values of which something is known, not {len(some.lower)}"
        )
    if some.known.sum() < 2:
        return Median(some)
    return _profile(some, None)


def slope(x: Floats, brackets: Brackets) -> Estimate:
    """The slope of the values against x, [values].

    Raises:
        NotEnoughDataError: fewer than three brackets with a finite end, fewer than two of them with two
            finite ends, or fewer than two different x.
    """
    has_end = np.isfinite(brackets.lower) | np.isfinite(brackets.upper)
    x, some = x[has_end], brackets.informative()
    if len(x) < 3 or len(np.unique(x)) < 2 or some.known.sum() < 2:
        raise NotEnoughDataError(
            "a slope needs three values of which something is known, at two places or more, and two of them "
            f"known from both sides; there are {len(x)} values at {len(np.unique(x))} places, "
            f"{int(some.known.sum())} of them known from both sides"
        )
    return _profile(some, x)


def _profile(brackets: Brackets, x: Floats | None) -> Estimate:
    """The profile likelihood of the location, or of the slope if there are x.

    The likelihood is first computed on a coarse grid, and then on a grid about the estimate.
    """
    middles = brackets.middles
    if x is None:
        centre, residuals = float(np.median(middles)), middles - np.median(middles)
        unit = 1.0
    else:
        x = x - (x.min() + x.max()) / 2
        centre = float(np.polyfit(x, middles, 1)[0])
        residuals = middles - centre * x
        unit = 1 / float(x.std())
    width = float(np.median((brackets.upper - brackets.lower)[brackets.known]))
    spread = max(float(residuals.std()), width / 2)
    scales = np.unique(np.maximum(spread * SCALES, LEAST_SCALE * width))
    step = spread * unit / math.sqrt(len(middles))
    for _ in range(2):
        values = centre + step * np.concatenate([-OFFSETS[:0:-1], OFFSETS])
        likelihoods = _likelihoods(brackets, x, values, scales)
        roots = np.sqrt(2 * (likelihoods.max() - likelihoods))
        centre = _middle(*_hull(values, roots, PLATEAU), float(values[np.argmax(likelihoods)]))
        low, high = _hull(values, roots, 1.0)
        distances = [abs(end - centre) for end in (low, high) if math.isfinite(end)]
        step = max([*distances, 1e-3 * step]) if distances else step
    parameters = 1 if x is None else 2
    count = len(middles)
    return Estimate(centre, values, roots, count, count - parameters)


def _middle(low: float, high: float, best: float) -> float:
    """The estimate, from the ends of the plateau; `best` is the most likely value."""
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    return low if math.isfinite(low) else high if math.isfinite(high) else best


def _hull(values: Floats, roots: Floats, critical: float) -> tuple[float, float]:
    """The ends of the values whose root is at most `critical`; infinite where the last one is."""
    inside = np.flatnonzero(roots <= critical)
    if not inside.size:
        inside = np.array([int(np.argmin(roots))])
    first, last = int(inside[0]), int(inside[-1])

    def between(within: int, without: int) -> float:
        rise = roots[without] - roots[within]
        share = (critical - roots[within]) / rise if rise > 0 else 0.0
        return float(values[within] + max(share, 0.0) * (values[without] - values[within]))

    low = -math.inf if first == 0 else between(first, first - 1)
    high = math.inf if last == len(values) - 1 else between(last, last + 1)
    return low, high


def _likelihoods(brackets: Brackets, x: Floats | None, values: Floats, scales: Floats) -> Floats:
    """The largest log-likelihood of each location or slope, [values]."""
    line = values[:, None] * (1.0 if x is None else x)
    # [values, scales, brackets], in units of the scale.
    lower, upper = (
        (end - line)[:, None, :] / scales[:, None] for end in (brackets.lower, brackets.upper)
    )
    if x is not None:
        level = _levels(lower, upper)[..., None]
        lower, upper = lower - level, upper - level
    return np.asarray(_log_likelihood(lower, upper).sum(axis=-1).max(axis=-1))


def _levels(lower: Floats, upper: Floats) -> Floats:
    """The most likely level of each row, [...]; Newton's method with steps that do not overshoot."""
    finite = np.where(np.isfinite(lower), lower, upper)
    levels = np.median((finite + np.where(np.isfinite(upper), upper, finite)) / 2, axis=-1)
    for _ in range(ITERATIONS):
        below, above = expit(lower - levels[..., None]), expit(upper - levels[..., None])
        densities = below * (1 - below) + above * (1 - above)
        gradient = (below + above - 1).sum(axis=-1)
        step = gradient / np.maximum(densities, LEAST_CURVATURE).sum(axis=-1)
        levels = levels + step
        if np.abs(step).max() < NEAR:
            break
    return np.asarray(levels)


def _log_likelihood(lower: Floats, upper: Floats) -> Floats:
    """log(F(upper) - F(lower)), also where both are nearly 0 or nearly 1.

    F(b) - F(a) = F(b) · F(-a) · (1 - exp(a - b)).
    """
    return np.asarray(log_expit(upper) + log_expit(-lower) + np.log(-np.expm1(lower - upper)))
