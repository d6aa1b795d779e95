"""A trend test: do trials succeed more often at larger scores, within strata?

Under the null hypothesis, the probability of success depends on the stratum alone. Given how many
trials of a stratum succeed, every choice of these trials is then equally likely. The test compares the
sum of the scores of the successful trials with its distribution under this permutation. It assumes
nothing of how the probability depends on the stratum, and strata in which all trials succeed or
all fail change nothing.

*Sources.* The trend test: Cochran 1954, Biometrics 10, 417–451; Armitage 1955, Biometrics 11, 375–386;
over strata Mantel 1963, JASA 58, 690–700. p values from random permutations that stop early, which
never reject too often: Besag and Clifford 1991, Biometrika 78, 301–304.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grokbench.statistics.intervals import Floats

ENOUGH = 200
"""A p value is known as soon as so many permutations lie as far out as the data."""

MOST = 2**17
"""Permutations at most. The smallest p value is therefore 1 / 131 073."""

FIRST = 2**10
"""Permutations at first; each time their number is doubled."""


@dataclass(frozen=True)
class Trend:
    """The one-sided p values of a trend test."""

    rising: float
    """Small where trials succeed more often at larger scores."""
    falling: float
    """Small where trials succeed less often at larger scores."""


def trend_test(
    scores: Floats,
    strata: npt.NDArray[np.generic],
    trials: npt.NDArray[np.int64],
    successes: npt.NDArray[np.int64],
) -> Trend:
    """The stratified permutation test for a trend. The same data always give the same p values.

    Args:
        scores: of each cell, [cells].
        strata: a label of each cell's stratum, [cells].
        trials, successes: how many there were in each cell, [cells].
    """
    informative = []
    for label in np.unique(strata):
        here = strata == label
        counts, hits = trials[here], int(successes[here].sum())
        if 0 < hits < counts.sum() and len(np.unique(scores[here][counts > 0])) > 1:
            informative.append((scores[here], counts, hits, float(successes[here] @ scores[here])))
    if not informative:
        return Trend(1.0, 1.0)
    observed = sum(found for *_, found in informative)
    # Sums of scores that are equal but for rounding are equal.
    tie = 1e-9 * max(float(np.abs(scores).max()), 1) * int(trials.sum())
    generator = np.random.default_rng(0)
    sums = np.empty(0)
    while True:
        draws = np.zeros(max(FIRST, len(sums)))
        for weights, counts, hits, _ in informative:
            draws += generator.multivariate_hypergeometric(counts, hits, len(draws)) @ weights
        sums = np.concatenate([sums, draws])
        as_high, as_low = sums >= observed - tie, sums <= observed + tie
        if len(sums) >= MOST or min(as_high.sum(), as_low.sum()) >= ENOUGH:
            return Trend(_p_value(as_high), _p_value(as_low))


def _p_value(as_far: npt.NDArray[np.bool_]) -> float:
    """Besag and Clifford's p value, from which permutations lie as far out as the data."""
    places = np.flatnonzero(as_far)
    if len(places) >= ENOUGH:
        return ENOUGH / float(places[ENOUGH - 1] + 1)
    return (len(places) + 1) / (len(as_far) + 1)
