"""How much better one set of predicted probabilities is than others: the Brier skill score.

*Score.* A prediction gives each outcome z of a run a probability p_z. The Brier score of a run that
showed the outcome y is Σ_z (p_z - [z = y])², between 0 and 2 (Brier 1950, Monthly Weather Review
78, 1–3). The score is proper: no other probabilities have a lower expected score than the true ones
(Gneiting and Raftery 2007, JASA 102, 359–378, § 3.2). The skill against a baseline is 1 minus the
mean score over the baseline's mean score: 0 where both are equally good, 1 for predictions that are
certain and right, negative for predictions that are worse.

*Interval.* The predictions are fixed, and runs are independent trials. In each cell, runs show the
outcomes with unknown shares. "The skill is s" says that the mean of

    x = (1 - s) · score of the baseline - score of the prediction

over all runs is 0. To test this, the observed shares of all cells are tilted together, by factors
exp(θx), until the mean is 0. Of all shares with the mean 0, these are the nearest to the observed
ones in Kullback–Leibler distance (Efron 1981, Canadian Journal of Statistics 9, 139–172, § 11).
How probable a sum as extreme as the observed one is under the tilted shares is computed by the
saddlepoint approximation r* (Barndorff-Nielsen 1986, Biometrika 73, 307–322), whose relative error
stays small far out in the tails. The ends of the interval are the skills with the wanted tails.

*Few runs in a cell.* Five runs that agree do not show that all runs would. So PSEUDO_RUNS more runs
in each cell show outcomes as the tested hypothesis has it: as the baseline predicts for the lower
end, as the prediction does for the upper end. And a variance within cells that is estimated from n
runs is too small by the factor (n - 1)/n, so r* is multiplied by the root of the mean factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats

PSEUDO_RUNS = 0.5
"""How many runs each cell is given that behave as the tested hypothesis predicts."""

FURTHEST_TILT = 60.0
"""The largest |θ|: far beyond it, every run shows the outcome with the largest x."""

LEAST_SKILL = -20.0
"""A skill below this one is given as this one, and a lower end below as minus infinity. A baseline that
is nearly always right has a score near 0, by which nothing can be divided sensibly."""

ITERATIONS = 60
HALVINGS = 40
"""Of the interval in which an end lies: 21 / 2^40 is far below the width of every interval."""


@dataclass(frozen=True, eq=False)
class Skills:
    """The skill of a prediction against several baselines, each [baselines]."""

    estimate: Floats
    low: Floats
    high: Floats


def brier_scores(shares: Floats) -> Floats:
    """The Brier score of a run with each outcome, [..., outcomes], from predicted shares.

    Σ_z (p_z - [z = y])² = 1 - 2 p_y + Σ_z p_z².
    """
    return np.asarray(1 - 2 * shares + (shares**2).sum(axis=-1, keepdims=True))


def skill(prediction: Floats, baselines: Floats, counts: Floats) -> Floats:
    """The skill against each baseline, [baselines].

    Args:
        prediction: predicted shares, [cells, outcomes].
        baselines: predicted shares, [baselines, cells, outcomes].
        counts: how many runs showed each outcome, [cells, outcomes]; need not be whole numbers.
    """
    ours = (counts * brier_scores(prediction)).sum()
    theirs = (counts * brier_scores(baselines)).sum(axis=(-1, -2))
    # A baseline without any error leaves nothing to win: the skill is 0 if the prediction has no
    # error either, and as bad as can be if it has.
    errs = theirs > 0
    ratio = np.divide(ours, theirs, out=np.ones_like(theirs), where=errs)
    found = np.where(errs, 1 - ratio, 0.0 if ours == 0 else LEAST_SKILL)
    return np.maximum(found, LEAST_SKILL)


def skills(
    prediction: Floats, baselines: Floats, counts: Floats, tails: tuple[float, float]
) -> Skills:
    """The skill against each baseline, with an interval for fixed predictions.

    Args:
        prediction, baselines, counts: as for `skill`.
        tails: in what share of experiments the skill may lie below the lower end, and in what
            share above the upper end.

    Raises:
        NotEnoughDataError: no cell has two runs, so nothing shows how runs of one cell differ.
    """
    there = counts.sum(axis=-1) > 0
    runs = counts[there].sum(axis=-1)
    if not (runs > 1).any():
        raise NotEnoughDataError("a skill's interval needs two runs in some cell; there is none")
    estimate = skill(prediction[there], baselines[:, there], counts[there])
    problem = _Problem(prediction[there], baselines[:, there], counts[there])
    return Skills(
        estimate,
        problem.end(estimate, tails[0], upper=False),
        problem.end(estimate, tails[1], upper=True),
    )


def tail_probabilities(
    prediction: Floats, baselines: Floats, counts: Floats, tested: Floats, *, upper: bool
) -> Floats:
    """How probable runs at least as extreme as these are if the skills are `tested`, [baselines].

    Args:
        prediction, baselines, counts: as for `skill`; each cell has a run.
        tested: a skill against each baseline.
        upper: False: as good for the prediction or better; True: as bad or worse.
    """
    return _Problem(prediction, baselines, counts).tail(tested, upper=upper)


@dataclass(frozen=True, eq=False)
class _Problem:
    prediction: Floats
    """[cells, outcomes]"""
    baselines: Floats
    """[baselines, cells, outcomes]"""
    counts: Floats
    """[cells, outcomes]"""

    def end(self, estimate: Floats, tail: float, *, upper: bool) -> Floats:
        """The skill at which the observed sum has this tail probability, [baselines]."""
        far = np.full(len(estimate), 1.0 if upper else LEAST_SKILL)
        near = estimate
        reached = self.tail(far, upper=upper) < tail
        for _ in range(HALVINGS):
            middle = (far + near) / 2
            excluded = self.tail(middle, upper=upper) < tail
            far, near = np.where(excluded, middle, far), np.where(excluded, near, middle)
        # A skill of 1 is possible only where every run is predicted with certainty.
        return np.where(reached, far, 1.0 if upper else -np.inf)

    def tail(self, skills: Floats, *, upper: bool) -> Floats:
        """P(the sum of x is at least as extreme as observed), if these are the skills, [baselines].

        Args:
            skills: one for each baseline.
            upper: whether small sums count as extreme, rather than large ones.
        """
        x = (1 - skills)[:, None, None] * brier_scores(self.baselines)
        x = x - brier_scores(self.prediction)
        expected = np.broadcast_to(self.prediction, x.shape) if upper else self.baselines
        x = -x if upper else x
        runs = self.counts.sum(axis=-1)
        smoothed = self.counts + PSEUDO_RUNS * expected
        with np.errstate(divide="ignore"):
            logarithms = np.log(smoothed / (runs + PSEUDO_RUNS)[:, None])
        logarithms = np.maximum(logarithms, -700.0)
        sums = _Sums(x, logarithms, runs)
        observed = (self.counts * x).sum(axis=(-1, -2))
        # Where no outcome at all gives a positive (negative) sum, the mean cannot be 0.
        impossible = (runs * x.max(axis=-1)).sum(axis=-1) <= 0
        certain = (runs * x.min(axis=-1)).sum(axis=-1) >= 0
        few = 1 - len(runs) / runs.sum()
        return np.where(impossible, 1.0, np.where(certain, 0.0, sums.upper_tail(observed, few)))


@dataclass(frozen=True, eq=False)
class _Sums:
    """The distribution of sums of x over independent runs."""

    x: Floats
    """[baselines, cells, outcomes]"""
    logarithms: Floats
    """Of the outcomes' shares, before they are tilted, [baselines, cells, outcomes]."""
    runs: Floats
    """[cells]"""

    def cumulants(self, tilt: Floats) -> tuple[Floats, Floats, Floats]:
        """The cumulant generating function, and its first and second derivatives, [baselines]."""
        weights = self.logarithms + tilt[:, None, None] * self.x
        largest = weights.max(axis=-1, keepdims=True)
        weights = np.exp(weights - largest)
        total = weights.sum(axis=-1, keepdims=True)
        generating = self.runs * (largest + np.log(total))[..., 0]
        weights = weights / total
        mean = (weights * self.x).sum(axis=-1)
        variance = self.runs * ((weights * self.x**2).sum(axis=-1) - mean**2)
        return generating.sum(axis=-1), (self.runs * mean).sum(axis=-1), variance.sum(axis=-1)

    def tilt_to(self, mean: Floats) -> Floats:
        """The tilt with which the sum has this mean: Newton's method, kept inside a bracket."""
        low = np.full(len(self.x), -FURTHEST_TILT)
        high, tilt = -low, np.zeros(len(self.x))
        for _ in range(ITERATIONS):
            _, first, second = self.cumulants(tilt)
            low, high = np.where(first < mean, tilt, low), np.where(first < mean, high, tilt)
            newton = tilt + (mean - first) / np.maximum(second, 1e-12)
            inside = (newton > low) & (newton < high)
            step = np.where(inside, newton, (low + high) / 2) - tilt
            tilt = tilt + step
            if np.abs(step).max() < 1e-8:
                break
        return tilt

    def upper_tail(self, observed: Floats, few: float) -> Floats:
        """P(sum ≥ observed) under shares tilted to the mean 0, [baselines].

        With T the tilt from there to the observed sum, and K the cumulant generating function of
        the shares with the mean 0, w = sign(T) · √(2 (T · observed - K(T))), u = T · √K''(T), and
        r* = w + log(u/w)/w.

        Args:
            observed: [baselines].
            few: the mean of (n - 1)/n over runs, n the number of runs in their cell.
        """
        null, alternative = self.tilt_to(np.zeros(len(self.x))), self.tilt_to(observed)
        tilt = alternative - null
        start, _, _ = self.cumulants(null)
        end, _, variance = self.cumulants(alternative)
        w = np.sign(tilt) * np.sqrt(2 * np.maximum(tilt * observed - (end - start), 0))
        u = tilt * np.sqrt(np.maximum(variance, 0))
        # Near the middle both go to 0, and their ratio to 1.
        far = np.abs(w) > 1e-3
        ratio = np.divide(u, w, out=np.ones_like(w), where=far)
        correction = np.log(np.maximum(ratio, 1e-12))
        r = w + np.divide(correction, w, out=np.zeros_like(w), where=far & (ratio > 0))
        return np.asarray(ndtr(-r * np.sqrt(few)))
