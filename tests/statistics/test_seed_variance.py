"""The variance between seeds, and experiments simulated with it."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.statistics.seed_variance import SeedVariance


def test_a_size_whose_seeds_agree_is_not_taken_to_be_without_variance():
    """Of eleven seeds that all generalize, the twelfth may not."""
    accuracy = np.array([[0.0, 1.0] * 3, [1.0] * 6, [1.0] * 6, [1.0] * 6])
    estimated = SeedVariance.of(accuracy)
    variance = estimated.variance(accuracy.mean(axis=1))
    assert estimated.share[-1] > 0.2
    assert variance[0] > variance[1] >= variance[-1] > 0


def test_runs_are_drawn_with_the_mean_that_is_asked_for_and_vary_as_the_seeds_do():
    generator = np.random.default_rng(5)
    accuracy = generator.beta(2, 2, (6, 400))
    accuracy[0, :100] = np.nan
    estimated, mean = SeedVariance.of(accuracy), np.array([0.1, 0.3, 0.5, 0.5, 0.7, 0.9])
    simulated = estimated.simulated(mean)
    assert [300, *[400] * 5] == (~np.isnan(simulated[0])).sum(axis=-1).tolist()
    assert mean.tolist() == pytest.approx(np.nanmean(simulated, axis=(0, 2)).tolist(), abs=0.005)
    assert [0.2] * 6 == pytest.approx(estimated.share.tolist(), rel=0.1)
    errors = np.nanmean(simulated, axis=2).std(axis=0)
    assert np.sqrt(estimated.variance(mean)).tolist() == pytest.approx(errors.tolist(), rel=0.1)
