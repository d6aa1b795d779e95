"""The posterior of a line above which trials succeed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from grokbench.statistics.line_posterior import LinePrior, Normal, line_posterior

PRIOR = LinePrior(Normal(1.5, 2.0), Normal(0.0, 1.0), Normal(-2.7, 1.0))
X, Y = (axis.ravel() for axis in np.meshgrid(np.arange(5.0), np.linspace(0, 3, 7), indexing="ij"))
NOTHING = np.full(len(X), -1)


def trials(number: int, generator: np.random.Generator | None = None) -> np.ndarray:
    """Failures and successes around the line 2 - 0.3 x, with the scale 0.2."""
    share = expit((Y - 2 + 0.3 * X) / 0.2)
    hits = share * number if generator is None else generator.binomial(number, share)
    return np.stack([number - hits, hits], axis=-1).astype(float)


def predicted(counts: np.ndarray, left_out: np.ndarray = NOTHING) -> np.ndarray:
    return line_posterior((X, Y), (X, Y), counts, PRIOR).predict(counts, left_out)


def test_many_trials_give_back_the_shares_they_were_drawn_with():
    share = expit((Y - 2 + 0.3 * X) / 0.2)
    np.testing.assert_allclose(share, predicted(trials(2000)), atol=0.01)


def test_few_trials_leave_the_probabilities_less_certain():
    few, many = predicted(trials(1)), predicted(trials(100))
    away = np.abs(many - 0.5) > 0.1
    assert (np.abs(few - 0.5) < np.abs(many - 0.5))[away].all()


def test_trials_that_are_separated_perfectly_still_leave_a_doubt():
    hits = (Y > 1.6).astype(float)
    found = predicted(5 * np.stack([1 - hits, hits], axis=-1))
    assert 0 < found.min() < found.max() < 1
    assert ((found > 0.5) == (hits > 0)).all()


@pytest.mark.parametrize("cell", [3, 17])
def test_leaving_a_cell_out_is_the_same_as_never_having_had_its_trials(cell: int):
    counts = trials(6, np.random.default_rng(0))
    without = counts.copy()
    without[cell] = 0
    left_out = np.full(len(X), cell)
    np.testing.assert_allclose(predicted(without), predicted(counts, left_out), atol=0.01)


def test_without_trials_the_prior_alone_speaks():
    found = predicted(np.zeros((len(X), 2)))
    assert found[Y == 1.5] == pytest.approx(0.5, abs=1e-6)
