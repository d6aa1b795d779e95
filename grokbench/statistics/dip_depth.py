"""Depth of the deepest dip of a curve along model size: an estimate and a confidence interval.

Estimated is the depth of the curve of expected accuracies (`dips`): the smaller of the fall into its
deepest dip and the rise out of it.

Method. Each number inverts a test: it is the depth d at which the test reaches its critical value. The test
statistic is the maximum over all dips of the smaller leg's excess over d, in standard errors. It is a
maximum because a dip is looked for everywhere along the curve. Its quantiles come from a parametric
bootstrap: experiments are simulated from beta distributions, under the curve that is nearest to the data of
all curves for which the null hypothesis is true.

| number | null hypothesis | tail | standard errors |
| --- | --- | --- | --- |
| lower end | no dip is deeper than d | 2.5 % | score type |
| estimate | no dip is deeper than d | 50 %: median-unbiased | score type |
| upper end | some dip is at least d deep | 1.25 % a leg, as either may fall short | from the means |

Score-type standard errors have the variance under the null hypothesis, as in Wilson's interval for a share
(1927). The observed variance would be wrong for the lower end: eleven runs that all happen to fail have
almost none. The upper end uses the observed variance and is narrower for it. It is also at least the
depth of a dip made by runs with an outcome that no seed happens to show (`unseen`).

Sources: maximum statistics, Westfall and Young 1993, "Resampling-based multiple testing"; parametric
bootstrap and inversion of tests, Davison and Hinkley 1997, "Bootstrap methods and their application".

Assumptions: runs are independent; the accuracies of a size have a beta distribution, whose variance is
estimated as `seed_variance` says; at least two runs at each size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from grokbench.statistics.dips import (
    Groups,
    MeanCurve,
    deepest,
    deepest_place,
    excess_over,
    reduced_by,
)
from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval
from grokbench.statistics.nearest_curves import nearest_with_dip, nearest_without_dip
from grokbench.statistics.seed_variance import SeedVariance, add_half, means
from grokbench.statistics.unseen import deepest_unseen

TAIL = (1 - CONFIDENCE) / 2
"""Probability beyond either end of a 95 % interval."""

ROUNDS = 3
"""Iterations of "simulate under depth d, then solve for d". On 24 simulated curves (15 sizes, 11 seeds) the
median change from three iterations to six was at most 0.004, the largest 0.04."""

LONGEST = 6
"""Groups of more neighbouring sizes are not tried."""


@dataclass(frozen=True)
class CriticalValues:
    """Critical values of the tests behind an interval, in standard errors of a leg."""

    lower_end: float
    """Both legs of a dip exceed the lower end by this."""
    estimate: float
    """Both legs of a dip exceed the estimate by this."""
    upper_end: float
    """Zero or negative; all dips fall short of the upper end by this."""


@dataclass(frozen=True)
class DipTest:
    """A test of "no dip is deeper than d": any d below `depth` is rejected.

    `curve` has the observed means, with the variances that they have under the null hypothesis.
    """

    curve: MeanCurve
    critical: float
    """Critical value: by how many standard errors both legs of a dip must exceed d."""

    def depth(self, groups: Groups, more: float = 0.0) -> float:
        """The d at the critical value, to which `more` standard errors are added."""
        errors = max(0.0, self.critical + more)
        return float(deepest(self.curve, groups, reduced_by(errors)))


@dataclass(frozen=True)
class NullHypothesis:
    """Observed means with variances under a null hypothesis, and the statistic's distribution there."""

    curve: MeanCurve
    statistics: Floats
    """Of the simulated experiments, [resamples]."""


@dataclass(frozen=True)
class DipDepth:
    """The deepest dip of an experiment's curve of mean accuracy.

    Args:
        accuracy: [sizes, seeds], NaN where there is no run; at least two runs a size.
        groups: groups of sizes of which an observed dip may consist.
        narrow: groups of which the true dip may consist; fewer, since a true dip of longer groups
            contains one of these that is as deep.
    """

    accuracy: Floats
    groups: Groups
    narrow: Groups

    @classmethod
    def of(cls, accuracy: Floats, width: int = 1, smoothing: bool = True) -> DipDepth:
        """The deepest dip whose peak, bottom and recovery each span at least `width` sizes.

        With `smoothing`, longer groups show a dip, too: their means have less noise.
        """
        # A group twice as long as `width` is two groups, one of which is as high, or as low.
        narrow = Groups.of(len(accuracy), width, 2 * width - 1)
        longest = max(LONGEST, 2 * width - 1)
        groups = Groups.of(len(accuracy), width, longest) if smoothing else narrow
        # Sorted, so that no order of seeds changes a sum in its last bit.
        return cls(np.sort(accuracy, axis=1), groups, narrow)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """The estimate and its two-sided interval; a depth lies between −1 and 1."""
        low, high = self.lower_end(confidence), self.upper_end(confidence)
        return Interval(
            self.estimate,
            max(min(low, self.estimate), -1.0),
            min(max(high, self.estimate), 1.0),
        )

    @cached_property
    def estimate(self) -> float:
        """Median-unbiased: at most 0 in half of the experiments whose true curve has no dip."""
        return self._test_of_estimate.depth(self.groups)

    def lower_end(self, confidence: float = CONFIDENCE) -> float:
        """Lower confidence bound: shallower dips would look so deep in 2.5 % of experiments."""
        more = self._more_errors(confidence)
        low = self._test_of_lower_end.depth(self.groups, more)
        if more > 0:
            # The curve without any dip can vary more than the one that dips by the 95 % end, so the
            # higher confidence must hold under that curve as well.
            low = min(low, self._test_without_dip.depth(self.groups, more))
        return low

    def upper_end(self, confidence: float = CONFIDENCE) -> float:
        """Upper confidence bound: deeper dips would look so shallow in 2.5 % of experiments."""
        errors = self._errors_of_upper_end(confidence)
        seen = float(deepest(self.curve, self.narrow, reduced_by(errors)))
        return max(seen, self.unseen(confidence))

    def unseen(self, confidence: float = CONFIDENCE) -> float:
        """Depth of the deepest dip that runs of which no seed shows one could make."""
        return deepest_unseen(self.curve, self.narrow, self._runs, (1 - confidence) / 2)

    def critical_values(self, confidence: float = CONFIDENCE) -> CriticalValues:
        """The critical values of the three tests, in standard errors of a leg."""
        more = self._more_errors(confidence)
        return CriticalValues(
            lower_end=max(0.0, self._test_of_lower_end.critical + more),
            estimate=self._test_of_estimate.critical,
            upper_end=self._errors_of_upper_end(confidence),
        )

    @cached_property
    def _test_of_lower_end(self) -> DipTest:
        return self._invert(TAIL, at_least=self._student(CONFIDENCE))

    @cached_property
    def _test_of_estimate(self) -> DipTest:
        return self._invert(0.5, at_least=0.0)

    @cached_property
    def _test_without_dip(self) -> DipTest:
        return self._invert(TAIL, at_least=self._student(CONFIDENCE), rounds=1)

    def _invert(self, tail: float, at_least: float, rounds: int = ROUNDS) -> DipTest:
        """Find the depth d for which the test of "no dip is deeper than d" is at its critical value.

        Args:
            tail: share of the simulated experiments whose statistic exceeds the critical value.
            at_least: the smallest critical value.
            rounds: 1 tests "there is no dip" only; further rounds test the depth of the round before.
        """
        depth = 0.0
        for _ in range(rounds):
            null = self._without_any_dip if depth == 0 else self._without_deeper_dip(depth)
            test = DipTest(null.curve, max(at_least, float(np.quantile(null.statistics, 1 - tail))))
            depth = test.depth(self.groups)
            if depth <= 0:  # what was simulated, no dip, is not rejected
                break
        return test

    @cached_property
    def _without_any_dip(self) -> NullHypothesis:
        return self._without_deeper_dip(0.0)

    def _without_deeper_dip(self, depth: float) -> NullHypothesis:
        """The null hypothesis that no dip is deeper than `depth`."""
        null = nearest_without_dip(self.curve, self.narrow, depth)
        return NullHypothesis(
            MeanCurve(self.curve.mean, self._variance.variance(null)),
            deepest(self._simulated(null), self.groups, excess_over(depth)),
        )

    def _errors_of_upper_end(self, confidence: float) -> float:
        return min(0.0, self._critical_value_of_upper_end - self._more_errors(confidence))

    @cached_property
    def _critical_value_of_upper_end(self) -> float:
        """Zero or negative: by how many standard errors all dips fall short of a true depth.

        Begins with Student's quantile, which is right where a dip can be in one place only. Where
        noise makes many dips, the deepest of them seldom falls short by so much.
        """
        critical = -self._student(CONFIDENCE)
        for _ in range(ROUNDS):
            depth = min(1.0, float(deepest(self.curve, self.narrow, reduced_by(critical))))
            null = nearest_with_dip(self.curve, self.narrow, depth)
            simulated = self._simulated(null, variance_under_null=False)
            statistics = deepest(simulated, self.narrow, excess_over(depth))
            critical = min(0.0, float(np.quantile(statistics, TAIL / 2)))
        return critical

    def _simulated(self, null: Floats, *, variance_under_null: bool = True) -> MeanCurve:
        """Curves of simulated experiments whose true curve is `null`: [resamples, sizes].

        The variance between seeds is estimated anew in each of them, as in the data. The variances
        are those under `null` (score type), or those of the simulated means.
        """
        accuracy = self._variance.simulated(null)
        mean, variance = means(accuracy), SeedVariance.of(accuracy)
        # Runs are drawn about a mean a little off the null's (`add_half`): only their noise is used.
        noise = mean - add_half(null, variance.seeds)
        return MeanCurve(null + noise, variance.variance(null if variance_under_null else mean))

    @cached_property
    def curve(self) -> MeanCurve:
        """Means over seeds, and their variances as if these means were the true curve."""
        mean = means(self.accuracy)
        return MeanCurve(mean, self._variance.variance(mean))

    @cached_property
    def _variance(self) -> SeedVariance:
        return SeedVariance.of(self.accuracy)

    @property
    def seeds(self) -> int:
        """Number of runs of the size with the fewest."""
        return int(self._runs.min())

    @property
    def _runs(self) -> Floats:
        return np.asarray((~np.isnan(self.accuracy)).sum(axis=1))

    @cached_property
    def place(self) -> tuple[int, int, int]:
        """Which of `groups` are peak, bottom and recovery of the dip that is best supported."""
        return deepest_place(self.curve, self.groups, reduced_by(self._student(CONFIDENCE)))

    @property
    def legs(self) -> tuple[float, float]:
        """Fall into the dip at `place` and rise out of it, of the means; either may be negative."""
        peak, bottom, recovery = self.groups.over(self.curve).mean[list(self.place)]
        return float(peak - bottom), float(recovery - bottom)

    def _more_errors(self, confidence: float) -> float:
        # 500 draws tell quantiles at 2.5 % and not at 0.2 %: critical values of other confidences
        # differ from those of 95 % by as much as Student's quantiles do.
        return self._student(confidence) - self._student(CONFIDENCE)

    def _student(self, confidence: float) -> float:
        # A variance averaged 1-2-1 over three sizes has 8/3 times the degrees of freedom of one:
        # (1 + 2 + 1)² / (1² + 2² + 1²) (Satterthwaite 1946). Sizes with unequal numbers of runs count
        # with the harmonic mean of these.
        runs = float(stats.hmean(self._runs))
        return float(stats.t.ppf((1 + confidence) / 2, 8 / 3 * (runs - 1)))
