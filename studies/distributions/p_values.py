"""Two-sample tests of every way of training against the plain loop, corrected together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from scipy.stats import barnard_exact, ks_2samp

from studies.distributions.samples import Sample
from studies.distributions.ways import PLAIN, Verdict

SIGNIFICANT = 0.01
"""A corrected p value below this tells two samples apart."""

NUMBERS = tuple(number.name for number in fields(Sample))


def p_values(one: Sample, other: Sample) -> dict[str, float]:
    """P values of the hypothesis that both samples have the same distribution.

    The four numbers are tested by the two-sample Kolmogorov-Smirnov test, in which a step that was
    never reached comes last. The count of seeds that generalize is tested by Barnard's exact test.
    """
    found = {
        name: float(ks_2samp(getattr(one, name), getattr(other, name), method="asymp").pvalue)
        for name in NUMBERS
    }
    counts = np.array([one.generalizing, other.generalizing])
    sizes = np.array([len(one.norm), len(other.norm)])
    found["generalizing"] = float(barnard_exact([counts, sizes - counts]).pvalue)
    return found


def compared(samples: Mapping[str, Sample]) -> dict[str, dict[str, float]]:
    """The p values of every sample against the plain loop's, all corrected together."""
    raw = {
        (way, test): p
        for way, one in samples.items()
        if way != PLAIN
        for test, p in p_values(one, samples[PLAIN]).items()
    }
    found: dict[str, dict[str, float]] = {}
    for (way, test), p in zip(raw, holm(list(raw.values())), strict=True):
        found.setdefault(way, {})[test] = p
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979, Scandinavian Journal of Statistics 6, 65-70).

    The i-th smallest of n p values is multiplied by n - i + 1, and corrected p values never
    decrease. The probability of any false alarm is then at most the corrected p value.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    rising = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    found = np.empty(len(p_values))
    found[order] = np.minimum(rising, 1)
    return [float(p) for p in found]


def verdict(corrected: Mapping[str, float]) -> Verdict:
    return "told apart" if min(corrected.values()) < SIGNIFICANT else "not told apart"
