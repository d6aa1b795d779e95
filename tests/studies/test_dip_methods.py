"""Methods for dips at declared places are compared on the same experiments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from grokbench.suite.model import Rule
from studies.dip_methods import (
    LOOKS,
    MEANS,
    METHODS,
    NO_DIP,
    WORLDS,
    World,
    decided,
    fails,
    log_e,
)


def test_an_e_value_is_one_on_average_where_its_mean_is_the_true_one() -> None:
    runs, at = 8, 120
    successes = np.arange(runs + 1)
    chances = stats.binom.pmf(successes, runs, MEANS[at])
    values = [np.repeat([1.0, 0.0], [hits, runs - hits]) for hits in successes]
    expected = sum(
        chance * np.exp(log_e(value)[at]) for chance, value in zip(chances, values, strict=True)
    )
    assert pytest.approx(1) == expected


@pytest.mark.parametrize("method", METHODS)
def test_a_method_decides_what_is_plain_and_not_the_opposite(method: str) -> None:
    """A peak and a recovery at 1 and a bottom at 0, with 40 seeds at each of eight sizes."""
    places = (fails(0.0, 1.0), fails(1.0), fails(0.0, 1.0))
    assert 1.0 == decided(World("", places, Rule(at_least=0.1)), method, 1)[-1]
    assert 0.0 == decided(World("", places, NO_DIP), method, 1)[-1]


def test_the_share_that_is_decided_never_falls_with_the_looks() -> None:
    shares = decided(WORLDS[3], "Welch", 10)
    assert len(LOOKS) == len(shares)
    assert sorted(shares) == shares
    assert shares[0] < shares[-1] == 1
