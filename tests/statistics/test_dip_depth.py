"""Depth of a dip: the estimate and both ends of the interval."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from grokbench.statistics.dip_depth import DipDepth
from grokbench.statistics.dips import Groups, exact_depth

# Tests of error rates compute only the end that they are about. The interval's low end is at most
# `lower_end` and its high end at least `upper_end`, so the bounds hold for the interval as well.


def runs(shares, seeds, experiments, seed):
    """Simulated experiments, [sizes, seeds] each: runs end at 1 with probability `shares`, or at 0."""
    generator = np.random.default_rng(seed)
    groks = generator.random((experiments, len(shares), seeds)) < np.array(shares)[:, None]
    return groks.astype(float)


@pytest.mark.parametrize(("width", "unseen"), [(1, 0.285), (3, 0.106)])
def test_a_failure_that_no_seed_shows_is_not_excluded(width, unseen):
    """If 28.5 % of runs fail, none of 11 fails in 2.5 % of experiments; if 10.6 % do, none of 33."""
    perfect = DipDepth.of(np.ones((12, 11)), width).interval()
    assert unseen == pytest.approx(perfect.high, abs=0.001)


@pytest.mark.parametrize("levels", [(1, 0, 0, 0), (0, 0, 0, 1)], ids=["recovery", "peak"])
def test_nor_is_a_peak_or_a_recovery_that_no_seed_shows(levels):
    """One leg of a dip is observed. Unseen runs could make the other, by up to 28.5 % of all runs."""
    accuracy = np.repeat(np.array(levels, float)[:, None], 11, axis=1)
    assert 0.285 == pytest.approx(DipDepth.of(accuracy).interval().high, abs=0.001)


def test_the_size_with_the_fewest_runs_may_hide_the_most():
    """A size with 2 runs, of which 84 % could fail unseen, among three sizes: a dip of a third of 0.84."""
    accuracy = np.ones((12, 11))
    accuracy[6, 2:] = np.nan
    assert 0.281 == pytest.approx(DipDepth.of(accuracy, width=3).interval().high, abs=0.001)


def test_the_size_with_the_farthest_to_fall_may_hide_the_most():
    """One perfect size among two that already failed has more room than three sizes at 0.35."""
    levels = np.repeat(np.array([1, 1, 1, 0.02, 0.02, 1, 1, 1, 1])[:, None], 11, axis=1)
    alike = np.repeat(np.array([1, 1, 1, 0.35, 0.35, 0.34, 1, 1, 1])[:, None], 11, axis=1)
    deeper = [DipDepth.of(values, width=3).interval() for values in (levels, alike)]
    beyond = [found.high - found.estimate for found in deeper]
    assert beyond[0] > 0.08
    assert beyond[1] < 0.06


def test_a_peak_and_a_recovery_may_both_be_hidden():
    """If 15 % of runs end at 1, none of 22 runs, at the peak or the recovery, shows it in 2.5 %."""
    flat = DipDepth.of(np.full((12, 11), 0.2)).interval()
    assert 0.8 * (1 - 0.025 ** (1 / 22)) == pytest.approx(flat.high, abs=0.001)


@pytest.mark.parametrize("seeds", [3, 5, 11])
def test_a_higher_confidence_gives_a_wider_interval_and_no_depth_exceeds_one(seeds):
    for accuracy in runs([0.6] * 12, seeds, 4, seed=seeds):
        dip = DipDepth.of(accuracy)
        confidences = (0.5, 0.9, 0.95, 0.98, 0.99, 0.9917, 0.9964)
        for lower, higher in pairwise(map(dip.interval, confidences)):
            assert -1 <= higher.low <= lower.low <= lower.high <= higher.high <= 1


@pytest.mark.parametrize("seeds", [5, 11])
def test_the_extreme_of_a_noisy_curve_is_rarely_taken_for_a_dip(seeds):
    """Each run groks or does not, with a probability that rises with size: the true curve has no dip."""
    groks = runs(np.linspace(0.2, 0.8, 10), seeds, 60, seed=seeds)
    dips = sum(DipDepth.of(np.where(one, 1.0, 0.03)).lower_end() >= 0.1 for one in groks)
    assert dips <= 2


@pytest.mark.parametrize("seeds", [5, 11])
@pytest.mark.parametrize("width", [1, 3])
def test_the_upper_end_is_rarely_below_the_true_depth(seeds, width):
    """Each run groks or does not; at three sizes the probability is lower by 0.4."""
    shares = [0.3, 0.6, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9]
    groks = runs(shares, seeds, 30, seed=seeds)
    denied = sum(DipDepth.of(accuracy, width).upper_end() < 0.4 for accuracy in groks)
    assert denied <= 2


def test_a_wide_dip_of_noisy_sizes_is_shown_by_groups_of_them_more_often_than_by_single_ones():
    worlds = runs([0.1, 0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4, 0.9, 0.9], 11, 20, seed=1)
    grouped, single = (
        sum(DipDepth.of(accuracy, smoothing=smoothing).lower_end() > 0 for accuracy in worlds)
        for smoothing in (True, False)
    )
    assert grouped >= single + 4


def test_sizes_that_vary_much_more_than_their_neighbours_seem_to_dip_no_more_often():
    """At four sizes runs end near 0 or near 1, at the others close to the mean; the mean is the same."""
    generator = np.random.default_rng(4)
    levels = np.array([0.6] * 11 + [0.98] * 4)[:, None]
    alike = np.where(np.isin(np.arange(15), (2, 4, 6, 8)), 0.6, 50)[:, None]
    worlds = generator.beta(levels * alike, (1 - levels) * alike, (24, 15, 11))
    assert 2 > sum(DipDepth.of(accuracy).lower_end() > 0 for accuracy in worlds)


def test_it_does_not_matter_which_seeds_are_missing():
    (accuracy,) = runs([0.2, 0.4, 0.5, 0.3, 0.05, 0.0, 0.0, 0.3, 0.7, 0.9], 6, 1, seed=2)
    accuracy[[1, 4, 4, 7], [0, 2, 5, 3]] = np.nan
    renamed = np.random.default_rng(2).permuted(accuracy, axis=1)
    one, other = (DipDepth.of(values).interval() for values in (accuracy, renamed))
    assert pytest.approx((one.low, one.estimate, one.high)) == (
        other.low,
        other.estimate,
        other.high,
    )


def test_critical_values_are_larger_where_noise_makes_dips():
    generator = np.random.default_rng(0)
    noisy = (generator.random((15, 11)) < 0.5).astype(float)
    rising = np.array([0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0])[:, None]
    agreed = rising + 1e-4 * generator.standard_normal((10, 11))
    noise, none = (DipDepth.of(accuracy).critical_values() for accuracy in (noisy, agreed))
    assert noise.lower_end > 3 > none.lower_end
    assert noise.estimate > 1.5 > none.estimate


@pytest.mark.parametrize("width", [1, 3])
def test_a_dip_known_to_be_there_is_measured_without_bias_and_seldom_as_deeper_than_it_is(width):
    shares = np.array([0.7] * 5 + [0.2] * 5 + [0.9] * 5)
    truth = exact_depth(shares, Groups.of(len(shares), width, width))
    depths = [DipDepth.of(accuracy, width) for accuracy in runs(shares, 11, 24, seed=3)]
    assert sum(min(depth.lower_end(), depth.estimate) > 0.05 for depth in depths) >= 22
    assert sum(depth.lower_end() > truth for depth in depths) <= 1
    assert truth == pytest.approx(np.median([depth.estimate for depth in depths]), abs=0.1)


def test_the_legs_are_those_of_the_means():
    accuracy = np.repeat(np.array([0.2, 0.5, 0.1, 0.0, 0.9])[:, None], 5, axis=1)
    dip = DipDepth.of(accuracy, smoothing=False)
    assert pytest.approx((0.5, 0.9)) == dip.legs
    assert (1, 3, 4) == dip.place
    assert 5 == dip.seeds


def one_noisy_size(level, seeds, experiments):
    """All runs end near `level`, at one size at 0 or at 1 with this mean; then accuracy rises."""
    generator = np.random.default_rng(11)
    for _ in range(experiments):
        accuracy = np.clip(level + generator.normal(0, 0.03, (10, seeds)), 0, 1)
        accuracy[5] = generator.random(seeds) < level
        accuracy[8:] = 0.97
        yield accuracy


@pytest.mark.parametrize("level", [0.3, 0.6])
def test_five_seeds_that_fail_alike_by_chance_at_one_noisy_size_make_no_dip(level):
    """At 0.3 all five runs of the noisy size fail in 17 % of experiments."""
    confidence = 1 - 0.05 / 14
    worlds = list(one_noisy_size(level, 5, 60))
    assert level > 0.5 or 5 <= sum(accuracy[5].max() == 0 for accuracy in worlds)
    assert 0 == sum(DipDepth.of(accuracy).lower_end(confidence) > 0 for accuracy in worlds)


def test_a_cautious_lower_end_finds_no_dip_at_a_noisy_size_with_eight_seeds_either():
    worlds = list(one_noisy_size(0.3, 8, 60))
    incautious = [DipDepth.of(accuracy).lower_end() > 0 for accuracy in worlds]
    cautious = [DipDepth.of(accuracy, cautious=True).lower_end() > 0 for accuracy in worlds]
    assert sum(cautious) <= 1 < sum(incautious)


def test_a_cautious_lower_end_still_finds_a_dip_that_many_runs_show():
    accuracy = np.concatenate([np.full((4, 12), 0.6), np.zeros((4, 12)), np.ones((3, 12))])
    accuracy += np.random.default_rng(0).normal(0, 0.02, accuracy.shape)
    dip = DipDepth.of(np.clip(accuracy, 0, 1), cautious=True)
    ends = [dip.lower_end(confidence) for confidence in (0.95, 0.99, 0.999, 0.9999)]
    assert ends[0] > 0.3
    assert ends[2] > 0.1
    assert (np.diff(ends) < 0).all()
