"""One-sided confidence distributions of means of bounded values, and of sums of two such means.

A confidence distribution answers for every number t: if the mean were t, how often would data be at least as
high as these? The answer is a p-value, and the t at which the p-value equals a tail probability is the lower
confidence bound for that tail. All bounds for all tails are one curve, so no bound is narrower at a higher
confidence.

One group. n independent values x between 0 and 1 have the lower distribution of Gaffke (2005): the
distribution of the mean of the values and of one more value, 0, with random weights. The weights are
independent exponential variables divided by their sum. The added 0 stands for the outcomes that no value
shows: five values of 1 give the distribution function t⁵, which is exactly how often five runs all succeed that
succeed with probability t. For values that are 0 or 1 the bound is that of Clopper and Pearson (1934), which
holds for every probability of success and, by Hoeffding (1956), also where the values have different
probabilities and the bound is for their mean. For other values that the bound holds is Gaffke's conjecture:
Learned-Miller and Thomas (2020) found the same bound and, in extensive simulations, no violation.

Two groups. The lower distribution of the sum of two means is that of the sum of two independent draws, one
from each lower distribution: the groups are melded (Fay, Proschan and Brittain 2015). A difference is the
sum of one mean and of the mean of 1 − y, minus 1. That melded bounds hold is proven for normal means; for shares of
successes it rests on numbers: see `tests/statistics/test_melding.py`, where the error rate is computed exactly.

Sources:
    Gaffke 2005, Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
        variable. Mathematical Methods of Statistics 14, 451–467.
    Learned-Miller and Thomas 2020, A new confidence interval for the mean of a bounded random variable
        (arXiv:1905.06208).
    Clopper and Pearson 1934, Biometrika 26, 404–413.
    Hoeffding 1956, On the distribution of the number of successes in independent trials. Annals of
        Mathematical Statistics 27, 713–721.
    Fay, Proschan and Brittain 2015, Combining one-sample confidence procedures for inference in the
        two-sample case. Biometrics 71, 146–156.

Assumptions: all values are independent and lie between 0 and 1. Nothing is assumed about their distribution.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from grokbench.statistics.intervals import Floats

STEPS = 512
"""Distributions are tabulated at multiples of 1/512. Sums are rounded outwards, by at most one step."""

UNIT: Floats = np.linspace(0, 1, STEPS + 1)
"""The numbers at which the distribution of a mean is tabulated."""

NODES = 32
"""Nodes of the quadrature. 200 nodes change probabilities between 1e-9 and 0.1 by less than one part in
1000, for groups of 3 to 720 values."""

REMEMBERED = 256
"""Distributions that are kept. Claims about the same runs, and looks at them, ask for the same ones."""

HALVINGS = 20
"""Halvings of the bracket of the saddle point. Any point of the bracket gives the same integral; at the
saddle point fewest nodes are needed."""


def lower_distribution(values: Floats, weights: Floats) -> Floats:
    """Lower confidence distribution of a mean of values between 0 and 1: a p-value for each of `UNIT`.

    Small p-values say that the mean is higher. Values that are close to each other need no more than the
    added 0; values that vary have a wider distribution.

    Args:
        values: independent, between 0 and 1, [n].
        weights: of each value in the mean, positive, [n]; equal unless groups of values have different
            numbers of values. The added 0 has the largest weight, so that it stands for any of the values.

    Returns:
        Non-decreasing p-values, [STEPS + 1]: at t the p-value of "the mean is at most t". Not to be written to.
    """
    values, weights = np.append(values, 0.0), np.append(weights, weights.max())
    # Equal terms are counted, which is faster where most runs end at 0 or at 1. Since they are sorted, no order
    # of runs changes a sum in its last bit.
    (values, weights), counts = np.unique(np.stack([values, weights]), axis=1, return_counts=True)
    return _tabulated(values.tobytes(), weights.tobytes(), counts.astype(float).tobytes())


@lru_cache(REMEMBERED)
def _tabulated(*terms: bytes) -> Floats:
    """The distribution for values, their weights and how often each occurs. The bytes serve as a key."""
    values, weights, counts = (np.frombuffer(one) for one in terms)
    inside = (values.max() > UNIT) & (UNIT > 0)
    below = (UNIT >= values.max()).astype(float)
    below[inside] = _negative_sums(weights * (values - UNIT[inside, None]), counts)
    found = np.maximum.accumulate(np.clip(below, 0.0, 1.0))
    found.flags.writeable = False
    return np.asarray(found)


def _negative_sums(terms: Floats, counts: Floats) -> Floats:
    """P(Σ G c <= 0) for exponential variables G, by a contour integral through the saddle point.

    The weighted mean Σ w G x / Σ w G is at most t exactly if Σ G w (x − t) is at most 0. With M the moment
    generating function Π 1/(1 − z c), the probability is −1/(2πi) ∫ M(z)/z dz along a vertical line left of 0
    and right of the largest negative pole. On the line through the saddle point of M(z)/z the integrand does
    not oscillate, so that small probabilities are as precise as large ones (Rice 1980, SIAM Journal on
    Scientific and Statistical Computing 1, 438–448).

    Args:
        terms: c, [rows, n], of which each row has a negative and a positive one.
        counts: how often each occurs, [n].
    """
    # Of P(… <= 0) and 1 − P(… >= 0) the one is computed whose probability is the smaller.
    above = (counts * terms).sum(axis=1) < 0
    terms = np.where(above[:, None], -terms, terms)
    # The line is at −v. Its bracket ends at the pole of the most negative c.
    pole = -1 / terms.min(axis=1)
    low, high = np.zeros_like(pole), np.ones_like(pole)
    counted, parts = counts * terms, np.empty_like(terms)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        line = pole * middle
        # In place, which takes half as long: counted / (1 + line · terms).
        np.multiply(line[:, None], terms, out=parts)
        parts += 1
        np.divide(counted, parts, out=parts)
        slope = -parts.sum(axis=1) - 1 / line
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    line = pole * (low + high) / 2
    curvature = (counts * terms**2 / (1 + line[:, None] * terms) ** 2).sum(axis=1) + 1 / line**2
    # With y = width · tan(angle) the integrand is smooth and periodic in the angle, which makes the midpoint rule
    # converge exponentially.
    width = np.sqrt((counts.sum() + 1) / curvature)[:, None]
    angles = (np.arange(NODES) + 0.5) / NODES * np.pi / 2
    height = width * np.tan(angles)
    moment = np.exp(-(counts * np.log1p(line[:, None] * terms)).sum(axis=1))[:, None]
    integrand = moment * width / np.cos(angles) ** 2 / (1j * height - line[:, None])
    # Reciprocals: far from the axis their product may become zero, where a product of many terms overflows.
    imaginary = 1j * height
    for term, count in zip((terms / (1 + line[:, None] * terms)).T, counts, strict=True):
        factor = imaginary * term[:, None]
        np.subtract(1, factor, out=factor)
        np.divide(1, factor, out=factor)
        integrand *= factor if count == 1 else factor**count
    heights = integrand.real
    smaller = -heights.sum(axis=1) / (2 * NODES)
    return np.asarray(np.where(above, 1 - smaller, smaller))


def lower_of_sum(first: Floats, second: Floats) -> Floats:
    """Lower confidence distribution of a sum of two means, less 1: from −1 to 1 in steps of 1/STEPS.

    Args:
        first, second: lower distributions of independent groups, [..., STEPS + 1] each; or of any two
            quantities that are tabulated in these steps, with tables of any lengths. The first table begins
            at a, the second at b, and the sum at a + b.

    Returns:
        [len(first) + len(second) − 1]. Probabilities are rounded up, by one step of the first at most.
    """
    # The probability between two neighbouring entries of the first is placed at the lower one.
    mass = np.append(np.diff(first), 0.0)
    mass[0] += first[0]
    steps = np.diff(second, prepend=0.0)
    # A sum of products, not a Fourier transform: small probabilities keep their digits.
    return np.asarray(np.minimum(np.cumsum(np.convolve(mass, steps)), 1.0))


def bound(distribution: Floats, tail: float, start: float) -> float:
    """The lower confidence bound: where a distribution reaches a tail probability.

    Args:
        distribution: non-decreasing p-values in steps of 1/STEPS.
        tail: one-sided, between 0 and 1.
        start: the number at which the distribution begins, which the bound never lies below.
    """
    last = int(np.searchsorted(distribution, tail, side="right"))
    if last == 0:
        return start
    if last == len(distribution):
        return start + (last - 1) / STEPS
    before, after = distribution[last - 1], distribution[last]
    return float(start + (last - 1 + (tail - before) / (after - before)) / STEPS)
