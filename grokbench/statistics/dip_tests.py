"""Tests of hypotheses on the depth of a curve's deepest dip.

Test statistic for a depth d: the excess of each leg over d is divided by the leg's standard error.
The smaller of the two quotients counts for a dip, and the maximum over all dips is the statistic.
A maximum is taken because a dip is looked for everywhere along the curve. One quantile then holds
for all dips simultaneously (Westfall and Young 1993, "Resampling-based multiple testing").

Null distribution: a parametric bootstrap (Davison and Hinkley 1997, "Bootstrap methods and their
application"). Experiments are simulated from beta distributions under a curve for which the null
hypothesis is true and which lies near the observed means (`nearest_curves`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grokbench.statistics.dips import Groups, MeanCurve, deepest, excess_over, reduced_by
from grokbench.statistics.intervals import Floats
from grokbench.statistics.nearest_curves import nearest_with_dip, nearest_without_dip
from grokbench.statistics.seed_variance import SeedVariance, add_half, means


@dataclass(frozen=True)
class NullDistribution:
    """The distribution of the test statistic under a null hypothesis, beside the observed curve.

    `observed` has the observed means, and the variances with which this test judges them.
    """

    observed: MeanCurve
    groups: Groups
    statistics: Floats
    """Of simulated experiments for which the null hypothesis is true, [resamples]."""

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.statistics, share))

    def depth(self, critical: float) -> float:
        """The depth d for which the observed statistic is `critical`."""
        return float(deepest(self.observed, self.groups, reduced_by(critical)))


@dataclass(frozen=True)
class DipTests:
    """Tests of how deep the deepest dip of an experiment is.

    An observed dip may consist of `groups`, a true dip of `narrow`.
    """

    observed: MeanCurve
    """Means over seeds, and their variances as if these means were the true curve."""
    variance: SeedVariance
    groups: Groups
    narrow: Groups
    noisiest: bool = False
    """How `SeedVariance.of` estimates variances, in the data as in each simulated experiment."""

    @classmethod
    def of(
        cls, accuracy: Floats, groups: Groups, narrow: Groups, *, noisiest: bool = False
    ) -> DipTests:
        """Tests for accuracies, [sizes, seeds], NaN where there is no run."""
        mean, variance = means(accuracy), SeedVariance.of(accuracy, noisiest=noisiest)
        curve = MeanCurve(mean, variance.variance(mean))
        return cls(curve, variance, groups, narrow, noisiest)

    def no_dip_deeper_than(self, depth: float) -> NullDistribution:
        """The null hypothesis that no dip is deeper than `depth`; large statistics reject it.

        Standard errors are of the score type: their variance is that under the null hypothesis, as
        in Wilson's interval for a share (1927). The observed variance would be too small where all
        runs happen to fail, and such a size seems to dip: for eleven runs that end at 0 or at 1 the
        standard error would be 0.06, but is 0.15 if the true mean is 0.5.
        """
        # Restricted by `narrow` groups only: a curve whose narrow dips are at most `depth` deep has
        # no deeper dip of longer groups.
        null = nearest_without_dip(self.observed, self.narrow, depth)
        observed = MeanCurve(self.observed.mean, self.variance.variance(null))
        simulated = self._simulated(null, score_type=True)
        statistics = deepest(simulated, self.groups, excess_over(depth))
        return NullDistribution(observed, self.groups, statistics)

    def some_dip_as_deep_as(self, depth: float) -> NullDistribution:
        """The null hypothesis that some dip is at least `depth` deep; small statistics reject it.

        Standard errors have the observed variance, in the data as in each simulated experiment. The
        score type was tried as well; with it fewer dips were excluded.
        """
        null = nearest_with_dip(self.observed, self.narrow, depth)
        simulated = self._simulated(null, score_type=False)
        statistics = deepest(simulated, self.narrow, excess_over(depth))
        return NullDistribution(self.observed, self.narrow, statistics)

    def _simulated(self, null: Floats, *, score_type: bool) -> MeanCurve:
        """Curves of simulated experiments whose true curve is `null`: [resamples, sizes].

        Their variances are those under `null` (score type), or as if the simulated means were true.
        """
        accuracy = self.variance.simulated(null)
        # The variance between seeds is estimated anew in each experiment, as it is in the data.
        mean, variance = means(accuracy), SeedVariance.of(accuracy, noisiest=self.noisiest)
        # Runs are drawn about means a little off the null's (`add_half`). Only the noise is used.
        noise = mean - add_half(null, variance.seeds)
        return MeanCurve(null + noise, variance.variance(null if score_type else mean))
