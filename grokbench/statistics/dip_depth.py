"""Depth of the deepest dip of a curve along model size: an estimate and a confidence interval.

Estimated is the depth of the curve of expected accuracies: the smaller of the fall into its deepest
dip and the rise out of it (`dips`).

Method. Each number inverts a test (`dip_tests`): it is the depth d for which the test statistic is
at its critical value, a quantile of the statistic under the null hypothesis. Since the null
hypothesis depends on d, the equation is solved by iteration. The estimate is about median-unbiased,
because its critical value is the median.

| number | null hypothesis | its critical value is |
| --- | --- | --- |
| lower end | no dip is deeper than d | exceeded in 2.5 % of simulated experiments |
| estimate | no dip is deeper than d | exceeded in 50 % |
| upper end | some dip is at least d deep | not reached in 1.25 % |

The 2.5 % of the upper end are halved (Bonferroni's correction for two legs): in the simulated curve
one leg may be longer than d, while in the true curve both may be d long and either may fall short.
The upper end is also at least the depth of a dip made by runs with an outcome that no seed happens
to show (`unseen`). A confidence other than 95 % changes the critical values by the difference
between Student's quantiles, because 500 simulated experiments do not tell quantiles farther out.

Sources: Davison and Hinkley 1997, "Bootstrap methods and their application", for the inversion of
tests, and those that `dip_tests` and `unseen` name. The calibration in docs/detectors.md shows how
often the ends err.

Assumptions: all runs are independent, also runs of one seed at different sizes; the accuracies of a
size have a beta distribution, whose variance is estimated as `seed_variance` says; each size has at
least two runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import stats

from grokbench.statistics.dip_tests import DipTests, NullDistribution
from grokbench.statistics.dips import Groups, deepest, deepest_place, reduced_by
from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval
from grokbench.statistics.unseen import deepest_despite_unseen, deepest_unseen

TAIL = (1 - CONFIDENCE) / 2
"""Probability beyond either end of a 95 % interval."""

ITERATIONS = 3
"""Of "find the null distribution for depth d, then solve for d". More iterations hardly move most
ends, but can move a single end by a few hundredths; three keep the calibration in docs/detectors.md."""

LONGEST = 6
"""Most neighbouring sizes in a group; with a width above 3, 2 · width − 1. Longer groups cost time,
which grows with the square of the number of groups."""

FEW = 8
"""With fewer seeds than this, the lower end is cautious whatever is asked for (`DipDepth.lower_end`)."""


@dataclass(frozen=True)
class CriticalValues:
    """Critical values of the tests behind an interval, in standard errors of a leg."""

    lower_end: float
    """In some dip both legs exceed the lower end by this or more. Above 95 % confidence the lower
    end may rest on a larger value, from the curve without any dip."""
    estimate: float
    """In some dip both legs exceed the estimate by this or more."""
    upper_end: float
    """Zero or negative: in each dip a leg exceeds the upper end by no more than this."""


@dataclass(frozen=True)
class Solution:
    """A null hypothesis and the critical value of its test, at the depth solved for."""

    null: NullDistribution
    critical: float

    def depth(self, more: float = 0.0) -> float:
        """The depth solved for, with `more` standard errors added to the critical value."""
        return self.null.depth(max(0.0, self.critical + more))


@dataclass(frozen=True)
class DipDepth:
    """The deepest dip of an experiment's curve of mean accuracy.

    Args:
        accuracy: [sizes, seeds], NaN where there is no run; at least two runs a size.
        groups: groups of sizes of which an observed dip may consist.
        narrow: groups of which the true dip may consist. Fewer are enough, since a true dip of
            longer groups contains a dip of narrow ones that is at least as deep.
        cautious: whether the lower end allows for sizes that vary as much as the noisiest one, and for
            runs that no seed shows.
        noisiest: whether variances are at least that of the noisiest size.
    """

    accuracy: Floats
    groups: Groups
    narrow: Groups
    cautious: bool = False
    noisiest: bool = False

    @classmethod
    def of(
        cls, accuracy: Floats, width: int = 1, smoothing: bool = True, cautious: bool = False
    ) -> DipDepth:
        """The deepest dip whose peak, bottom and recovery each span at least `width` sizes.

        With `smoothing` longer groups show a dip, too, because their means have less noise.
        """
        # A group of 2 · `width` sizes or more consists of narrow ones. Of these, one has a mean at
        # least as high, and one at least as low.
        narrow = Groups.of(len(accuracy), width, 2 * width - 1)
        longest = max(LONGEST, 2 * width - 1)
        groups = Groups.of(len(accuracy), width, longest) if smoothing else narrow
        # Sorted, so that no order of seeds changes a sum in its last bit.
        return cls(np.sort(accuracy, axis=1), groups, narrow, cautious)

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
        """At most 0 in about half, or more, of the experiments whose true curve has no dip."""
        return self._median_solution.depth()

    def lower_end(self, confidence: float = CONFIDENCE) -> float:
        """Lower confidence bound: true depths below this one are rejected.

        A cautious lower end is the lowest of three: with variances as estimated; with variances that are
        at least that of the noisiest size; and what unseen runs leave of the deepest dip. With fewer than
        `FEW` seeds the second counts always, and the third above a confidence of 95 %. A lower end that is
        not above zero at 95 % finds no dip and is left as it is.
        """
        low = self._lower_end(confidence)
        few = self.seeds < FEW
        if not (self.cautious or few) or self._lower_end(CONFIDENCE) <= 0:
            return low
        low = min(low, self._with_the_noisiest_variance._lower_end(confidence))
        if self.cautious or confidence > CONFIDENCE:
            tail = (1 - confidence) / 2
            observed = self._tests.observed
            low = min(low, deepest_despite_unseen(observed, self.groups, self._runs, tail))
        return low

    @cached_property
    def _with_the_noisiest_variance(self) -> DipDepth:
        return replace(self, noisiest=True)

    def _lower_end(self, confidence: float) -> float:
        """The lower end with the variances as they are estimated."""
        more = self._more_errors(confidence)
        low = self._lower_solution.depth(more)
        if more > 0:
            # Experiments can vary more under the curve without any dip than under the curve that
            # dips by the 95 % end. A higher confidence must hold under both curves.
            low = min(low, self._lower_solution_without_dip.depth(more))
        return low

    def upper_end(self, confidence: float = CONFIDENCE) -> float:
        """Upper confidence bound: true depths above this one are rejected."""
        seen = self._depth_short_by(self._errors_of_upper_end(confidence))
        return max(seen, self.unseen(confidence))

    def unseen(self, confidence: float = CONFIDENCE) -> float:
        """Upper confidence bound for a dip made by runs with an outcome that no seed shows."""
        return deepest_unseen(self._tests.observed, self.narrow, self._runs, (1 - confidence) / 2)

    def critical_values(self, confidence: float = CONFIDENCE) -> CriticalValues:
        return CriticalValues(
            lower_end=max(0.0, self._lower_solution.critical + self._more_errors(confidence)),
            estimate=self._median_solution.critical,
            upper_end=self._errors_of_upper_end(confidence),
        )

    @cached_property
    def _tests(self) -> DipTests:
        return DipTests.of(self.accuracy, self.groups, self.narrow, noisiest=self.noisiest)

    # Student's quantile would be right if a dip could be in one place only. In one of many places
    # noise exceeds it more often. So Student's quantile is the least critical value of the lower
    # end; the iteration for the upper end begins with it.

    @cached_property
    def _lower_solution(self) -> Solution:
        return self._solved(TAIL, at_least=self._student(CONFIDENCE))

    @cached_property
    def _median_solution(self) -> Solution:
        return self._solved(0.5, at_least=0.0)

    @cached_property
    def _lower_solution_without_dip(self) -> Solution:
        return self._solved(TAIL, at_least=self._student(CONFIDENCE), iterations=1)

    def _solved(self, tail: float, at_least: float, iterations: int = ITERATIONS) -> Solution:
        """The depth d at which the test of "no dip is deeper than d" is at its critical value.

        The critical value is exceeded in a share `tail` of simulated experiments, and is at least
        `at_least`. The first iteration tests d = 0. If its solution is zero or less, "no dip" is
        not rejected and that solution stands.
        """
        depth = 0.0
        for _ in range(iterations):
            null = self._no_dip if depth == 0 else self._tests.no_dip_deeper_than(depth)
            critical = max(at_least, null.quantile(1 - tail))
            depth = null.depth(critical)
            if depth <= 0:
                break
        return Solution(null, critical)

    @cached_property
    def _no_dip(self) -> NullDistribution:
        # All three equations begin with this distribution.
        return self._tests.no_dip_deeper_than(0.0)

    @cached_property
    def _critical_value_of_upper_end(self) -> float:
        """How far all dips fall short of a true depth, in standard errors: zero or negative."""
        critical = -self._student(CONFIDENCE)
        for _ in range(ITERATIONS):
            null = self._tests.some_dip_as_deep_as(min(1.0, self._depth_short_by(critical)))
            critical = min(0.0, null.quantile(TAIL / 2))
        return critical

    def _depth_short_by(self, critical: float) -> float:
        """The depth of which the observed dips fall short by a critical value."""
        return float(deepest(self._tests.observed, self.narrow, reduced_by(critical)))

    def _errors_of_upper_end(self, confidence: float) -> float:
        return min(0.0, self._critical_value_of_upper_end - self._more_errors(confidence))

    def _more_errors(self, confidence: float) -> float:
        return self._student(confidence) - self._student(CONFIDENCE)

    def _student(self, confidence: float) -> float:
        """Student's two-sided quantile for the variance of a mean, estimated as in `seed_variance`.

        The average of three equal variances with weights 1-2-1 has (1 + 2 + 1)² / (1² + 2² + 1²) =
        8/3 times the degrees of freedom of one size (Satterthwaite 1946). The part that all sizes
        share adds some; the ends of the curve have fewer, 8/5 times. Unequal numbers of runs count
        with their harmonic mean.
        """
        runs = float(stats.hmean(self._runs))
        return float(stats.t.ppf((1 + confidence) / 2, 8 / 3 * (runs - 1)))

    @property
    def _runs(self) -> Floats:
        return np.asarray((~np.isnan(self.accuracy)).sum(axis=1))

    @property
    def seeds(self) -> int:
        """Number of runs of the size with the fewest."""
        return int(self._runs.min())

    @cached_property
    def place(self) -> tuple[int, int, int]:
        """Which of `groups` are peak, bottom and recovery of the dip with the strongest support.

        Support is the smaller of the lower confidence bounds of both legs (Student's t).
        """
        support = reduced_by(self._student(CONFIDENCE))
        return deepest_place(self._tests.observed, self.groups, support)

    @property
    def legs(self) -> tuple[float, float]:
        """Fall of the mean into the dip at `place`, and rise out of it; either may be negative."""
        peak, bottom, recovery = self.groups.over(self._tests.observed).mean[list(self.place)]
        return float(peak - bottom), float(recovery - bottom)
