"""The Brier skill of predicted shares, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.skill import brier_scores, skill, skills, tail_probabilities

TAIL = (0.025, 0.025)
WORLDS, MOST = 400, 22
"""Where an error has a probability of 2.5 %, 22 of 400 or more have a probability of 0.06 %."""

FLAT = np.full((1, 12, 4), 0.25)
"""A baseline that knows nothing."""


def sharp(share: float = 0.91) -> np.ndarray:
    """12 cells; in each, another outcome has most of the probability."""
    shares = np.full((12, 4), (1 - share) / 3)
    shares[np.arange(12), np.arange(12) % 4] = share
    return shares


def drawn(shares: np.ndarray, seeds: int, generator: np.random.Generator) -> np.ndarray:
    return generator.multinomial(seeds, shares).astype(float)


def test_the_score_is_the_squared_distance_from_what_the_run_showed():
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    by_hand = [((shares - shown) ** 2).sum() for shown in np.eye(4)]
    np.testing.assert_allclose(by_hand, brier_scores(shares))


def test_a_certain_and_right_prediction_has_the_skill_1():
    counts = 5 * np.eye(4)[np.arange(12) % 4]
    np.testing.assert_allclose([1.0], skill(sharp(1.0), FLAT, counts))


def test_the_baseline_itself_has_the_skill_0_and_an_interval_around_it():
    counts = drawn(sharp(), 5, np.random.default_rng(0))
    found = skills(sharp(), sharp()[None], counts, TAIL)
    assert found.estimate == pytest.approx(0)
    assert found.low <= 0 <= found.high


def test_no_probabilities_have_a_better_expected_score_than_the_true_ones():
    true, generator = sharp(0.7), np.random.default_rng(1)
    for _ in range(50):
        others = generator.dirichlet(np.ones(4), 12)
        assert skill(others, true[None], true) <= 0


def test_the_interval_widens_with_its_confidence_and_narrows_with_the_seeds():
    generator = np.random.default_rng(2)
    few, many = (drawn(sharp(0.8), seeds, generator) for seeds in (5, 40))
    ends = [skills(sharp(), FLAT, few, (tail, tail)) for tail in (0.1, 0.025, 0.0018, 0.00005)]
    lows = [float(one.low[0]) for one in ends]
    highs = [float(one.high[0]) for one in ends]
    assert sorted(lows, reverse=True) == lows
    assert sorted(highs) == highs
    narrow = skills(sharp(), FLAT, many, TAIL)
    assert narrow.high - narrow.low < 0.7 * (highs[1] - lows[1])


def test_runs_that_all_agree_do_not_make_the_interval_a_point():
    counts = 5 * np.eye(4)[np.arange(12) % 4]
    found = skills(sharp(), FLAT, counts, TAIL)
    assert found.low < found.estimate - 0.02


def test_single_runs_give_no_interval():
    with pytest.raises(NotEnoughDataError, match="two runs"):
        skills(sharp(), FLAT, np.eye(4)[np.arange(12) % 4], TAIL)


def test_cells_without_runs_change_nothing():
    counts = drawn(sharp(0.8), 5, np.random.default_rng(3))
    empty = counts.copy()
    empty[6:] = 0
    whole = skills(sharp(), FLAT, empty, TAIL)
    part = skills(sharp()[:6], FLAT[:, :6], counts[:6], TAIL)
    assert (whole.low, whole.high) == (part.low, part.high)


@pytest.mark.parametrize("miss", [0.15, 0.33])
def test_the_ends_keep_their_tails(miss: float):
    """Predictions that are sure and sometimes far off: five runs of a cell often show no miss."""
    prediction = sharp(0.97)
    worst = np.eye(4)[(np.arange(12) + 1) % 4]
    true = (1 - miss) * prediction + miss * worst
    truth = skill(prediction, FLAT, true)
    generator = np.random.default_rng(4)
    wrong = {False: 0, True: 0}
    for _ in range(WORLDS):
        counts = drawn(true, 5, generator)
        for upper in wrong:
            found = tail_probabilities(prediction, FLAT, counts, truth, upper=upper)
            wrong[upper] += bool(found[0] < 0.025)
    assert max(wrong.values()) < MOST


def test_an_end_is_the_skill_that_has_this_tail():
    counts = drawn(sharp(0.8), 5, np.random.default_rng(5))
    found = skills(sharp(), FLAT, counts, (0.01, 0.002))
    for end, tail, upper in ((found.low, 0.01, False), (found.high, 0.002, True)):
        assert tail == pytest.approx(
            float(tail_probabilities(sharp(), FLAT, counts, end, upper=upper)[0]), rel=1e-3
        )
