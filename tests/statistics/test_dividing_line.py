"""The line that divides trials that succeed from trials that fail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.dividing_line import Trials, dividing_line

POSITIONS = np.log2([2000, 2400, 2800, 3200, 3600, 4000])
SIZES = np.log2([16e3, 24e3, 40e3, 64e3])


def grid(trials=10):
    """Positions, sizes and numbers of trials of all cells."""
    sizes, positions = (one.ravel() for one in np.meshgrid(SIZES, POSITIONS, indexing="ij"))
    return positions, sizes, np.full(len(sizes), trials)


def chances(fall, width=0.1, lapses=0.0):
    """The probability of success in each cell; half of the trials succeed in the grid's middle."""
    positions, sizes, _ = grid()
    odds = (positions - POSITIONS.mean() + fall * (sizes - SIZES.mean())) / width
    return lapses + (1 - 2 * lapses) * expit(odds)


def fitted(successes, trials=10):
    positions, sizes, counts = grid(trials)
    return dividing_line(Trials(positions, sizes, counts, np.asarray(successes)))


def test_with_many_trials_the_slope_and_the_width_are_found():
    for fall in (-0.2, 0.0, 0.3):
        line = fitted(np.round(10**5 * chances(fall)).astype(int), 10**5)
        interval = line.interval(0.95)
        assert pytest.approx(fall, abs=2e-3) == line.fall
        assert pytest.approx(0.1, rel=0.01) == line.width
        assert interval.low < fall < interval.high < interval.low + 0.02


@pytest.mark.parametrize("trials", [1, 5, 40])
def test_a_line_that_separates_is_known_as_exactly_as_the_grid_is_fine(trials):
    """Every fall of less than a step of positions, over all sizes, separates perfectly."""
    positions, *_ = grid()
    line = fitted(np.where(positions > POSITIONS.mean(), trials, 0), trials)
    middle = np.searchsorted(POSITIONS, POSITIONS.mean())
    step = POSITIONS[middle] - POSITIONS[middle - 1]
    interval = line.interval(0.95)
    assert pytest.approx(0.0, abs=0.02) == line.fall
    assert interval.low < -0.8 * step / np.ptp(SIZES)
    assert interval.high > 0.8 * step / np.ptp(SIZES)
    if trials == 40:
        assert interval.high - interval.low < 6 * step / np.ptp(SIZES)


def test_where_only_the_size_matters_the_fall_has_no_upper_bound():
    """Half of the largest models' trials succeed, one more at the largest position."""
    _, sizes, _ = grid()
    successes = np.where(sizes == SIZES.max(), 5, 0)
    successes[-1] += 1
    interval = fitted(successes).interval(0.95)
    assert np.inf == interval.high
    assert interval.low > 0.5


@pytest.mark.parametrize("fall", [0.0, 0.25])
def test_a_higher_confidence_never_gives_a_narrower_interval(fall):
    successes = np.random.default_rng(5).binomial(10, chances(fall))
    line = fitted(successes)
    intervals = [line.interval(one) for one in (0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 1 - 1e-6)]
    assert intervals == sorted(intervals, key=lambda one: one.high)
    assert intervals == sorted(intervals, key=lambda one: -one.low)
    assert all(one.low <= line.fall <= one.high for one in intervals)


def test_the_interval_honours_both_tails_where_some_trials_fail_for_another_reason():
    """At a tail of 10 %, 120 experiments err about 12 times on each side.

    With the logistic curve alone, the upper end is too low in 29 of these 120.
    """
    generator = np.random.default_rng(11)
    chance = chances(0.25, 0.03, lapses=0.04)
    experiments, times = np.unique(
        generator.binomial(5, chance, (120, len(chance))), axis=0, return_counts=True
    )
    intervals = [fitted(one, 5).interval(0.8) for one in experiments]
    assert times[[one.low > 0.25 for one in intervals]].sum() < 20
    assert times[[one.high < 0.25 for one in intervals]].sum() < 20


def test_the_order_of_cells_does_not_matter():
    positions, sizes, counts = grid()
    successes = np.random.default_rng(2).binomial(10, chances(0.1))
    mixed = np.random.default_rng(3).permutation(len(counts))
    one = dividing_line(Trials(positions, sizes, counts, successes)).interval(0.99)
    other = dividing_line(
        Trials(positions[mixed], sizes[mixed], counts[mixed], successes[mixed])
    ).interval(0.99)
    assert pytest.approx((one.low, one.high), abs=1e-6) == (other.low, other.high)


def test_what_has_no_dividing_line_is_refused():
    positions, sizes, counts = grid()
    with pytest.raises(NotEnoughDataError, match="0 of 240 trials succeed"):
        fitted(np.zeros(len(sizes), int))
    with pytest.raises(NotEnoughDataError, match="240 of 240 trials succeed"):
        fitted(counts)
    with pytest.raises(NotEnoughDataError, match="not succeed more often"):
        fitted(np.where(positions < POSITIONS.mean(), 10, 0))
    one_size, one_position = sizes == SIZES[0], positions == POSITIONS[2]
    for cells, name in ((one_size, "sizes"), (one_position, "positions")):
        with pytest.raises(NotEnoughDataError, match=f"two {name} or more"):
            dividing_line(Trials(positions[cells], sizes[cells], counts[cells], counts[cells] // 2))
