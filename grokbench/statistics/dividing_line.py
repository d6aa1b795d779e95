"""The slope of the line that divides trials that succeed from trials that fail.

*Model.* A trial has two coordinates: its position x (here log2 of the data size) and its size s (here
log2 of the parameters). It succeeds with the probability

    P = F((x - level + fall · s) / width).

Half of the trials succeed on the line x = level - fall · s. So `fall` says by how much the position
that is needed falls where the size grows by one. F is one of three curves, because nobody knows the
true one, and a wrong F makes intervals too narrow:

| F | allows for |
| --- | --- |
| logistic | an ordinary spread |
| Student's t with 3 degrees of freedom ("robit", Liu 2004) | trials far on the wrong side |
| logistic between 0.05 and 0.95 | trials that fail, or succeed, for another reason |

*Method.* A value of `fall` is in the interval if a likelihood ratio test at this value does not reject
it, for at least one of the curves. Curves that fit much worse than the best one are left out. The test
compares the root of twice the difference of the log-likelihoods with a quantile of Student's t
with (trials - 3) degrees of freedom. Student's t instead of the normal distribution is a correction
for few trials without a proof; `docs/detectors.md` says how often the interval errs.

The ratio of two coefficients can have an unbounded confidence set (Fieller 1954). So `fall` is
treated as an angle between -90 and 90 degrees. Where the interval contains an end, it is infinite
there.

Where a line separates all successes from all failures, the likelihood grows with steeper curves for
ever. Wide normal priors of the coefficients keep the fit finite. All lines that separate
are then about equally likely, and the interval is as wide as the grid is coarse.

*Sources.* Likelihood ratio intervals: Cox and Hinkley 1974, Theoretical Statistics, § 9.3. Fieller
1954, JRSS B 16, 175–185. Robit regression: Liu 2004, in Applied Bayesian Modeling and Causal
Inference from Incomplete-Data Perspectives, ch. 21. Lapses: Wichmann and Hill 2001, Perception &
Psychophysics 63, 1293–1313.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats, Interval, t_quantile

Curve = Callable[[Floats], tuple[Floats, Floats]]
"""F and its derivative, each of the shape of the argument."""

LAPSES = 0.05
"""Share of the trials that fail, and that succeed, wherever they lie: in the third curve."""

WORSE = 4.0
"""A curve is left out if its log-likelihood is smaller than that of the best curve by more than this.
With 2, intervals were up to ten times as often wrong as promised at high confidence where a few trials
failed for another reason, because the trials often seemed to contradict the right curve."""

DEVIATION = 50.0
"""Prior standard deviation of each coefficient, in units of log odds for each step of the grid. Far
larger than what trials can show: 5 log odds for each step look like 0 and 1."""

ANGLES = np.concatenate(
    [np.arange(-90, -60, 2), np.linspace(-60, 60, 241), np.arange(62, 91, 2)]
).astype(float)
"""The values of `fall` that are tested, as angles in degrees, where 45 is one step of the grid of
positions for each step of the grid of sizes. In between, the root of the ratio is taken as linear."""

ITERATIONS = 60
"""At most; a fit ends as soon as the log-likelihood grows by less than GAIN."""

GAIN = 1e-7

LARGEST_STEP = 6.0
"""The largest change of the log odds of any trial in one iteration. Far from the maximum the
curvature says little about where the maximum lies."""

LEAST_RISE = 0.01
"""The smallest coefficient of the position, in log odds for each step: no grid shows less."""

LEAST = 1e-9
"""The smallest probability of success or failure. Its logarithm stays finite."""


@dataclass(frozen=True, eq=False)
class Trials:
    """How many trials succeeded in each cell; all fields are [cells]."""

    positions: Floats
    sizes: Floats
    trials: npt.NDArray[np.int64]
    """How many trials there were, at least one in each cell."""
    successes: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DividingLine:
    """What trials say of the dividing line between successes and failures."""

    fall: float
    """By how much the position that is needed falls where the size grows by one, with the logistic
    curve."""
    width: float
    """The width of the logistic curve, in units of the position."""
    angles: Floats
    """The values of `fall` that were tested, in degrees, [angles], ascending."""
    roots: Floats
    """The root of twice the log-likelihood that each of them lacks, [angles]; for the curve that lacks
    least."""
    unit: float
    """`fall` where the angle is 45 degrees."""
    freedom: float
    """Degrees of freedom of Student's t."""

    def interval(self, confidence: float) -> Interval:
        """`fall` with its interval. An end is infinite where the trials set no bound.

        A higher confidence never gives a narrower interval.

        Args:
            confidence: of the two-sided interval, between 0 and 1.
        """
        low, high = (
            math.copysign(math.inf, angle)
            if abs(angle) == 90
            else math.tan(math.radians(angle)) * self.unit
            for angle in _hull(self.angles, self.roots, t_quantile(self.freedom, confidence))
        )
        return Interval(self.fall, min(low, self.fall), max(high, self.fall))


def dividing_line(trials: Trials) -> DividingLine:
    """Fit the line that divides successes from failures.

    Raises:
        NotEnoughDataError: fewer than four trials, fewer than two positions or sizes, no successes or
            no failures, or no more successes at larger positions than at smaller ones.
    """
    _check(trials)
    x, x_step = _standardized(trials.positions)
    s, s_step = _standardized(trials.sizes)
    counts, successes = trials.trials.astype(float), trials.successes.astype(float)
    one = np.ones_like(x)
    everything = np.stack([one, x, s], axis=-1)[None]
    fits = [_fit(curve, everything, counts, successes) for curve in CURVES]
    # With the angle of each curve's best fit, an interval may be narrower than angles are apart.
    own = [np.degrees(np.arctan2(of_size, of_position)) for ((_, of_position, of_size),), _ in fits]
    angles = np.union1d(ANGLES, [angle for angle in own if abs(angle) < 90])
    radians = np.radians(angles)[:, None]
    rays = np.cos(radians) * x + np.sin(radians) * s
    on_rays = np.stack([np.broadcast_to(one, rays.shape), rays], axis=-1)
    found = [
        _profile(curve, float(best), on_rays, counts, successes)
        for curve, (_, (best,)) in zip(CURVES, fits, strict=True)
    ]
    coefficients = fits[0][0][0]
    _, by_position, by_size = coefficients
    if by_position <= LEAST_RISE:
        raise NotEnoughDataError(
            "there is no dividing line: trials do not succeed more often at larger positions"
        )
    best = max(one.best for one in found)
    unit = x_step / s_step
    return DividingLine(
        float(by_size / by_position) * unit,
        x_step / float(by_position),
        angles,
        np.min([one.roots for one in found if one.best >= best - WORSE], axis=0),
        unit,
        float(counts.sum()) - 3,
    )


def _check(trials: Trials) -> None:
    total, hits = int(trials.trials.sum()), int(trials.successes.sum())
    if total < 4:
        raise NotEnoughDataError(f"a dividing line needs at least 4 trials, not {total}")
    for name, values in (("positions", trials.positions), ("sizes", trials.sizes)):
        if len(np.unique(values)) < 2:
            raise NotEnoughDataError(f"a dividing line needs trials at two {name} or more")
    if hits in (0, total):
        raise NotEnoughDataError(
            f"a dividing line needs successes and failures; {hits} of {total} trials succeed"
        )


def _standardized(values: Floats) -> tuple[Floats, float]:
    """Values in steps of the grid, about the middle of the grid; and the mean step."""
    step = float(np.ptp(values)) / (len(np.unique(values)) - 1)
    return (values - (values.max() + values.min()) / 2) / step, step


@dataclass(frozen=True, eq=False)
class _Profile:
    best: float
    """The log-likelihood of the best fit."""
    roots: Floats
    """The root of twice the log-likelihood that each angle lacks, [angles]."""


def _profile(
    curve: Curve, best: float, on_rays: Floats, counts: Floats, successes: Floats
) -> _Profile:
    """The likelihood of each angle with one curve, whose best fit is known."""
    coefficients, heights = _fit(curve, on_rays, counts, successes)
    _, (nothing,) = _fit(curve, on_rays[:1, :, :1], counts, successes)
    # A negative coefficient belongs to the opposite direction, which is not tested. The best of the
    # tested direction is then that nothing matters.
    heights = np.where(coefficients[:, 1] < 0, nothing, heights)
    # The third curve may have several maxima; the best fit is at least as good as every other.
    best = max(best, float(heights.max()))
    return _Profile(best, np.sqrt(np.maximum(2 * (best - heights), 0)))


def _hull(angles: Floats, roots: Floats, reach: float) -> tuple[float, float]:
    """The smallest and the largest angle whose root is at most `reach`, in degrees.

    In between the angles, the root is taken as linear.
    """
    # The best root is 0 only up to the accuracy of the fits.
    reach = max(reach, float(roots.min()))
    inside = np.flatnonzero(roots <= reach)
    first, last = int(inside[0]), int(inside[-1])

    def end(inner: int, outer: int) -> float:
        if not 0 <= outer < len(roots):
            return float(angles[inner])
        share = (reach - roots[inner]) / (roots[outer] - roots[inner])
        return float(angles[inner] + share * (angles[outer] - angles[inner]))

    return end(first, first - 1), end(last, last + 1)


def _logistic(odds: Floats) -> tuple[Floats, Floats]:
    share = expit(odds)
    return share, share * (1 - share)


def _student(odds: Floats) -> tuple[Floats, Floats]:
    """Student's t distribution with 3 degrees of freedom, in closed form."""
    scaled = odds / math.sqrt(3)
    square = 1 + scaled * scaled
    share = 0.5 + (scaled / square + np.arctan(scaled)) / math.pi
    return share, 2 / (math.pi * math.sqrt(3) * square * square)


def _with_lapses(odds: Floats) -> tuple[Floats, Floats]:
    share, density = _logistic(odds)
    return LAPSES + (1 - 2 * LAPSES) * share, (1 - 2 * LAPSES) * density


CURVES: tuple[Curve, ...] = (_logistic, _student, _with_lapses)
"""The curves F. The estimate is that of the first."""


def _fit(curve: Curve, design: Floats, counts: Floats, successes: Floats) -> tuple[Floats, Floats]:
    """Penalized maximum likelihood by Fisher scoring, with steps that are shortened until they help.

    Args:
        curve: F.
        design: [fits, cells, coefficients]. All fits share one loop of array operations.
        counts, successes: of the trials, [cells].

    Returns:
        Coefficients [fits, coefficients] and log-likelihoods [fits].
    """
    fits, _, number = design.shape
    prior = np.eye(number) / DEVIATION**2

    def height(design: Floats, coefficients: Floats) -> Floats:
        share = np.clip(curve(_odds(design, coefficients))[0], LEAST, 1 - LEAST)
        likelihood = successes * np.log(share) + (counts - successes) * np.log1p(-share)
        return np.asarray(
            likelihood.sum(axis=1) - (coefficients**2).sum(axis=1) / (2 * DEVIATION**2)
        )

    coefficients, shortened = np.zeros((fits, number)), np.ones(fits)
    reached = height(design, coefficients)
    active = np.arange(fits)
    for _ in range(ITERATIONS):
        part, here = design[active], coefficients[active]
        share, density = curve(_odds(part, here))
        share = np.clip(share, LEAST, 1 - LEAST)
        variance = share * (1 - share)
        score = (successes - counts * share) * density / variance
        gradient = np.einsum("fc,fcn->fn", score, part) - here / DEVIATION**2
        weighted = part * (counts * density**2 / variance)[..., None]
        information = np.swapaxes(weighted, 1, 2) @ part + prior
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        largest = np.abs(_odds(part, step)).max(axis=1)
        step *= (np.minimum(1, LARGEST_STEP / np.maximum(largest, 1e-300)) * shortened[active])[
            :, None
        ]
        found = height(part, here + step)
        better = found >= reached[active]
        gain = np.where(better, found - reached[active], np.inf)
        coefficients[active[better]] += step[better]
        reached[active[better]] = found[better]
        shortened[active] = np.where(
            better, np.minimum(1, 2 * shortened[active]), shortened[active] / 4
        )
        # Steps a million times too short still do not help: the maximum is reached up to rounding.
        active = active[(gain > GAIN) & (shortened[active] > 1e-6)]
        if not active.size:
            break
    return coefficients, reached


def _odds(design: Floats, coefficients: Floats) -> Floats:
    return np.asarray(np.einsum("fcn,fn->fc", design, coefficients))
