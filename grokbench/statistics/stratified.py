"""The mean over strata, each with the same weight, of independent values.

*Method.* The mean of the strata's means, with Student's t interval. The variance of the mean is the
larger of two estimates: from each stratum's own variance, and from one variance pooled over all strata.
The degrees of freedom are the smallest of three numbers: those of the pooled variance, and Satterthwaite's
twice, from each stratum's own variance and from the larger of own and pooled variance.

Why the larger and the smallest? With few values in a stratum, its own variance may come out far too
small by chance. If such a stratum has the fewest values, its variance counts most, and the usual interval
is then too narrow: at a confidence of 0.9964, with 2, 8 and 8 normal values of equal variance, its ends
are wrong several times as often as promised (`tests/statistics/test_stratified.py`). Where a stratum
of very few values varies far more than all others, the present interval is still too narrow.

*Sources.* Cochran 1977, Sampling Techniques, § 5.4 (stratified means, degrees of freedom); Satterthwaite
1946, Biometrics Bulletin 2, 110–114.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval, t_quantile


def stratified_interval(strata: Sequence[Floats], confidence: float = CONFIDENCE) -> Interval:
    """The mean of the strata's means with its interval.

    Args:
        strata: the values of each stratum, [values] each; at least two values in each.
        confidence: of the two-sided interval, between 0 and 1.

    Raises:
        NotEnoughDataError: no stratum, or a stratum with fewer than two values.
    """
    counts = np.array([len(values) for values in strata])
    if not counts.size or counts.min() < 2:
        raise NotEnoughDataError(
            "a mean over strata needs one stratum or more with at least 2 values in each, "
            f"not {counts.tolist()}"
        )
    mean = float(np.mean([np.mean(values) for values in strata]))
    variances = np.array([np.var(values, ddof=1) for values in strata])
    own, freedom = variances / counts, counts - 1
    pooled = float(freedom @ variances) / int(freedom.sum())
    variance = max(float(own.sum()), pooled * float((1 / counts).sum())) / counts.size**2
    if variance == 0:
        return Interval(mean, mean, mean)
    degrees = min(
        float(freedom.sum()),
        _satterthwaite(own, freedom),
        _satterthwaite(np.maximum(own, pooled / counts), freedom),
    )
    half = t_quantile(degrees, confidence) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def _satterthwaite(parts: Floats, freedom: npt.NDArray[np.int64]) -> float:
    """Degrees of freedom of a sum of independent estimates of variances."""
    total = float(parts.sum())
    # Divided through by the square of the total, so that small numbers do not vanish.
    return 1 / float(((parts / total) ** 2 / freedom).sum()) if total > 0 else math.inf
