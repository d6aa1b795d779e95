"""Double descent in model size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import DeeperDoubleDescent, DoubleDescent
from grokbench.phenomena.deeper_double_descent import difference
from grokbench.phenomena.double_descent import DoubleDescentOptions, dip, measured
from grokbench.statistics.dips import Groups, as_it_is
from grokbench.statistics.intervals import Interval
from grokbench.statistics.seed_variance import SeedVariance
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, ramp, shuffled, world

SIZES = (4, 8, 12, 16, 24, 32, 40, 48, 56, 64)
DIPPING = (0.2, 0.4, 0.5, 0.3, 0.05, 0.0, 0.0, 0.3, 0.7, 0.9)
RISING = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0)
MANY = 40
"""So many seeds that agree exclude that one in ten would not (all would agree in 1.5 %)."""


def curve(levels, seeds=5, noise=0.03, sizes=SIZES, lost=()):
    """Runs that end near `levels`, one for each size; cells (size, seed) in `lost` were not run."""
    generator = np.random.default_rng(7)
    shifts = generator.normal(0, noise, (len(sizes), seeds))

    def run(size: int, _: int, seed: int) -> Run:
        if (size, seed) in lost:
            return NOT_RUN
        level = levels[sizes.index(size)] + shifts[sizes.index(size), seed]
        return ending_at(float(np.clip(level, 0, 1)))

    return world(run, sizes=sizes, seeds=tuple(range(seeds)))


def found(dataset, **options):
    return DoubleDescent.from_options(options).find({"experiment": dataset})


def test_a_dip_is_as_deep_as_its_shallower_side():
    finding = found(curve(DIPPING, noise=0), smoothing=False)
    assert pytest.approx(0.5) == finding.effect
    assert ["12", "32", "64"] == finding.details["sizes"]


def test_a_dip_over_several_sizes_survives_noise():
    finding = found(curve(DIPPING))
    assert finding.low > 0.2
    assert finding.seeds == 5


def test_a_curve_that_only_rises_is_shown_not_to_dip():
    assert found(curve(RISING, MANY)).high < 0.1


def test_a_curve_that_only_falls_is_shown_not_to_dip():
    assert found(curve(RISING[::-1], MANY)).high < 0.1


def test_a_fall_without_a_rise_is_no_dip():
    levels = (0.2, 0.5, 0.8, 0.9, 0.6, 0.3, 0.1, 0.0, 0.0, 0.0)
    assert found(curve(levels, MANY)).high < 0.1


@pytest.mark.parametrize(("width", "unseen"), [(1, 0.285), (3, 0.106)])
def test_a_failure_that_no_seed_shows_is_not_excluded(width, unseen):
    """None of 11 runs fails in 2.5 % of experiments if 28.5 % do, of 33 if 10.6 % do."""
    perfect = seen(np.ones((12, 11)), width=width)
    assert unseen == pytest.approx(perfect.high, abs=0.001)


@pytest.mark.parametrize("levels", [(1, 0, 0, 0), (0, 0, 0, 1)], ids=["recovery", "peak"])
def test_nor_is_a_peak_or_a_recovery_that_no_seed_shows(levels):
    """Where one side of a dip is there, the other may be, as high as unseen runs can raise it."""
    accuracy = np.repeat(np.array(levels, float)[:, None], 11, axis=1)
    assert 0.285 == pytest.approx(seen(accuracy).high, abs=0.001)


def test_the_size_with_the_fewest_runs_may_hide_the_most():
    """2 of a dip's 11, 2 and 11 runs: 84 % of them failing would go unseen, a third of that a dip."""
    accuracy = np.ones((12, 11))
    accuracy[6, 2:] = np.nan
    assert 0.281 == pytest.approx(seen(accuracy, width=3).high, abs=0.001)


def test_the_size_with_the_farthest_to_fall_may_hide_the_most():
    """One of three sizes that were near-perfect may fail, when the other two hardly can."""
    levels = np.repeat(np.array([1, 1, 1, 0.02, 0.02, 1, 1, 1, 1])[:, None], 11, axis=1)
    alike = np.repeat(np.array([1, 1, 1, 0.35, 0.35, 0.34, 1, 1, 1])[:, None], 11, axis=1)
    deeper = [seen(values, width=3) for values in (levels, alike)]
    beyond = [found.high - found.estimate for found in deeper]
    assert beyond[0] > 0.08
    assert beyond[1] < 0.06


def test_a_peak_and_a_recovery_may_both_be_hidden():
    """Of 22 runs that ended at 0.2 none is another kind in 2.5 % of experiments where 15 % are."""
    flat = np.full((12, 11), 0.2)
    assert 0.8 * (1 - 0.025 ** (1 / 22)) == pytest.approx(seen(flat).high, abs=0.001)


@pytest.mark.parametrize("seeds", [3, 5, 11])
def test_the_surer_the_wider_and_no_dip_is_deeper_than_accuracy_can_be(seeds):
    generator = np.random.default_rng(seeds)
    labels = tuple("0123456789ab")
    for accuracy in (generator.random((4, len(labels), seeds)) < 0.6).astype(float):
        dip = measured(accuracy, labels, DoubleDescentOptions())
        found = [dip.interval(sure) for sure in (0.5, 0.9, 0.95, 0.98, 0.99, 0.9917, 0.9964)]
        for less, more in pairwise(found):
            assert -1 <= more.low <= less.low <= less.high <= more.high <= 1


def test_the_evidence_names_peak_dip_and_recovery_where_there_is_a_dip():
    evidence = found(curve(DIPPING, noise=0)).evidence
    assert "mean accuracy falls by 0.50 from size 12 to 32–40 and rises by 0.90 to 64" == evidence


@pytest.mark.parametrize("levels", [RISING, RISING[::-1]], ids=["rising", "falling"])
def test_the_evidence_says_that_there_is_no_dip_and_what_comes_nearest(levels):
    finding = found(curve(levels, noise=0), smoothing=False)
    assert finding.evidence.startswith("no dip was found: ")
    assert min(finding.details["fall"], finding.details["rise"]) <= 0


def test_the_evidence_on_two_tasks_names_no_dip_where_there_is_none():
    data = {"easier": curve(RISING, noise=0), "harder": curve(DIPPING, noise=0)}
    evidence = DeeperDoubleDescent.from_options({"smoothing": False}).find(data).evidence
    assert "harder task: 0.50, at size 32" in evidence
    assert "easier one: none was found" in evidence


@pytest.mark.parametrize("seeds", [5, 11])
def test_the_extreme_of_a_noisy_curve_is_rarely_taken_for_a_dip(seeds):
    """Each run groks or does not, more often the larger it is: no size dips in expectation."""
    generator = np.random.default_rng(seeds)
    worlds, dips = 60, 0
    for _ in range(worlds):
        groks = generator.random((len(SIZES), seeds)) < np.linspace(0.2, 0.8, len(SIZES))[:, None]
        dips += seen(np.where(groks, 1.0, 0.03)).low >= 0.1
    assert dips <= 2


@pytest.mark.parametrize("seeds", [5, 11])
@pytest.mark.parametrize("width", [1, 3])
def test_a_dip_of_just_so_much_is_rarely_said_to_be_less(seeds, width):
    """Each run groks or does not; three sizes do so more seldom by two fifths."""
    generator = np.random.default_rng(seeds)
    shares = np.array([0.3, 0.6, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9])[:, None]
    groks = generator.random((30, len(shares), seeds)) < shares
    denied = sum(seen(accuracy.astype(float), width=width).high < 0.4 for accuracy in groks)
    assert denied <= 2


def seen(accuracy, **options):
    """The interval of a curve of accuracies, [sizes, seeds], without a dataset about it."""
    labels = tuple(str(4 * place) for place in range(len(accuracy)))
    return measured(accuracy, labels, DoubleDescentOptions(**options)).interval()


def test_a_dip_narrower_than_the_width_asked_for_does_not_count():
    notched = (0.2, 0.4, 0.6, 0.8, 0.9, 0.5, 0.95, 1.0, 1.0, 1.0)
    assert found(curve(notched)).low > 0.2
    assert found(curve(notched, MANY), width=3).high < 0.1


def test_a_wide_dip_of_noisy_sizes_is_shown_by_groups_of_them_more_often_than_by_single_ones():
    generator = np.random.default_rng(1)
    shares = np.array([0.1, 0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4, 0.9, 0.9])
    worlds = (generator.random((20, len(shares), 11)) < shares[:, None]).astype(float)
    grouped, single = (
        sum(seen(accuracy, smoothing=smoothing).low > 0 for accuracy in worlds)
        for smoothing in (True, False)
    )
    assert grouped >= single + 4


def test_sizes_that_vary_much_more_than_their_neighbours_seem_to_dip_no_more_often():
    """Runs of some sizes do or do not generalize, as often as others' accuracy is high."""
    generator = np.random.default_rng(4)
    levels = np.array([0.6] * 11 + [0.98] * 4)[:, None]
    alike = np.where(np.isin(np.arange(15), (2, 4, 6, 8)), 0.6, 50)[:, None]
    worlds = generator.beta(levels * alike, (1 - levels) * alike, (24, 15, 11))
    assert 2 > sum(seen(accuracy).low > 0 for accuracy in worlds)


def test_it_does_not_matter_which_seeds_are_missing():
    generator = np.random.default_rng(2)
    accuracy = (generator.random((10, 6)) < np.array(DIPPING)[:, None]).astype(float)
    accuracy[[1, 4, 4, 7], [0, 2, 5, 3]] = np.nan
    renamed = generator.permuted(accuracy, axis=1)
    one, other = (seen(values) for values in (accuracy, renamed))
    assert pytest.approx((one.low, one.estimate, one.high)) == (
        other.low,
        other.estimate,
        other.high,
    )


def test_seeds_that_share_no_model_size_are_enough():
    """Only a size's own runs are averaged: nothing is compared within a seed."""
    lost = {(size, seed) for i, size in enumerate(SIZES) for seed in range(20) if seed % 10 != i}
    finding = found(curve(DIPPING, seeds=20, lost=lost))
    assert 2 == finding.seeds
    assert finding.effect > 0.2


def test_a_width_that_the_grid_does_not_have_is_refused_and_warned_of():
    with pytest.raises(NotEnoughDataError, match=r"12 sizes for a width of 4.*10 sizes"):
        found(curve(DIPPING), width=4)
    detector = DoubleDescent.from_options({"width": 4})
    assert "takes 12 model sizes, and there are 10" in detector.warning(
        {"experiment": {"model_size": 10}}
    )
    assert detector.warning({"experiment": {"model_size": 12}}) is None


def flat(accuracy):
    """Runs whose accuracy is constant, [sizes, seeds]; quick to make."""
    dataset = world(lambda *_: ending_at(0.5), sizes=SIZES, seeds=tuple(range(accuracy.shape[1])))
    dataset = dataset.isel(step=slice(-12, None))
    shape = dataset["validation_accuracy"].shape
    values = np.broadcast_to(accuracy[:, None, :, None], shape).astype(np.float32)
    return dataset.assign(validation_accuracy=(dataset["validation_accuracy"].dims, values))


def test_plain_validation_accuracy_is_read_unless_another_metric_is_asked_for():
    def run(size: int, *_: int) -> Run:
        return Run(
            mirror_free=ramp(0, 100, 0, DIPPING[SIZES.index(size)]),
            validation=ramp(0, 100, 0, RISING[SIZES.index(size)]),
        )

    dataset = world(run, sizes=SIZES)
    assert found(dataset).effect < 0.1
    assert found(dataset, metric="mirror_free_accuracy").effect > 0.3


def test_missing_cells_are_neither_zeros_nor_dips():
    lost = {(size, seed) for size in (24, 32) for seed in range(MANY)} | {(8, 0), (64, 3)}
    assert found(curve(RISING, MANY, lost=lost)).high < 0.1


def test_as_many_seeds_count_as_the_size_with_the_fewest_has():
    lost = {(size, 0) for size in SIZES[2:]}
    assert found(curve(DIPPING, lost=lost)).seeds == 4


def test_two_data_sizes_at_once_are_refused():
    dataset = world(lambda *_: ending_at(0.5), data_sizes=(350, 450))
    with pytest.raises(NotEnoughDataError, match="data_size has 2 values"):
        found(dataset)


@pytest.mark.parametrize("grid", [{"sizes": (4, 8)}, {"seeds": (0,)}])
def test_two_sizes_or_one_seed_are_not_enough(grid):
    with pytest.raises(
        NotEnoughDataError, match="three model sizes with finished runs of two seeds"
    ):
        found(world(lambda *_: ending_at(0.5), **grid))


def test_a_harder_task_that_dips_deeper_is_found_deeper():
    weak = (0.2, 0.4, 0.6, 0.6, 0.45, 0.35, 0.35, 0.7, 0.9, 1.0)
    finding = DeeperDoubleDescent().find({"easier": curve(weak, 11), "harder": curve(DIPPING, 11)})
    assert finding.low > 0.1
    assert finding.effect < 0.5


def test_an_easier_task_that_does_not_dip_counts_as_depth_zero():
    data = {"easier": curve(RISING, noise=0), "harder": curve(DIPPING, noise=0)}
    alone = found(data["harder"])
    assert pytest.approx(alone.effect) == DeeperDoubleDescent().find(data).effect


def test_two_equal_tasks_are_not_deeper_than_each_other():
    data = {"easier": curve(DIPPING, MANY), "harder": curve(DIPPING, MANY)}
    finding = DeeperDoubleDescent().find(data)
    assert finding.low < 0.02
    assert finding.high < 0.2


def test_two_tasks_that_do_not_dip_are_shown_not_to_be_deeper():
    data = {"easier": curve(RISING[::-1], MANY), "harder": curve(RISING, MANY)}
    assert DeeperDoubleDescent().find(data).high < 0.1


def test_a_difference_is_off_at_each_end_by_the_root_of_the_sum_of_squares():
    found = difference(Interval(3.0, 1.0, 4.0), Interval(1.0, 0.0, 3.0))
    assert (2.0, 2 - 8**0.5, 2 + 2**0.5) == pytest.approx((found.estimate, found.low, found.high))


def test_no_order_of_the_dataset_matters():
    dataset = curve(DIPPING, lost={(8, 0)})
    assert found(dataset) == found(shuffled(dataset, seed=2))


def test_a_size_whose_seeds_agree_is_not_taken_to_be_without_variance():
    """Of eleven seeds that all generalize, the twelfth may not."""
    accuracy = np.array([[0.0, 1.0] * 3, [1.0] * 6, [1.0] * 6, [1.0] * 6])
    scatter = SeedVariance.of(accuracy)
    variance = scatter.variance(accuracy.mean(axis=1))
    assert scatter.share[-1] > 0.2
    assert variance[0] > variance[1] >= variance[-1] > 0


def test_runs_are_drawn_with_the_mean_that_is_asked_for_and_vary_as_the_seeds_do():
    generator = np.random.default_rng(5)
    accuracy = generator.beta(2, 2, (6, 400))
    accuracy[0, :100] = np.nan
    scatter, level = SeedVariance.of(accuracy), np.array([0.1, 0.3, 0.5, 0.5, 0.7, 0.9])
    made = scatter.drawn(level)
    assert [300, *[400] * 5] == (~np.isnan(made[0])).sum(axis=-1).tolist()
    assert level.tolist() == pytest.approx(np.nanmean(made, axis=(0, 2)).tolist(), abs=0.005)
    assert [0.2] * 6 == pytest.approx(scatter.share.tolist(), rel=0.1)
    errors = np.nanmean(made, axis=2).std(axis=0)
    assert np.sqrt(scatter.variance(level)).tolist() == pytest.approx(errors.tolist(), rel=0.1)


def test_what_it_takes_to_show_a_dip_is_more_where_noise_makes_them():
    generator = np.random.default_rng(0)
    noisy = (generator.random((15, 11)) < 0.5).astype(float)
    agreed = np.array(RISING)[:, None] + 1e-4 * generator.standard_normal((len(RISING), 11))
    noise, none = (
        measured(accuracy, tuple("0123456789abcde"), DoubleDescentOptions()).ends()
        for accuracy in (noisy, agreed)
    )
    assert noise.showing > 3 > none.showing
    assert noise.seeming > 1.5 > none.seeming


@pytest.mark.parametrize("width", [1, 3])
def test_a_dip_known_to_be_there_is_measured_without_bias_and_seldom_as_deeper_than_it_is(width):
    generator = np.random.default_rng(3)
    shares = np.array([0.7] * 5 + [0.2] * 5 + [0.9] * 5)
    worlds = (generator.random((24, len(shares), 11)) < shares[:, None]).astype(float)
    truth = as_it_is(shares, Groups.of(len(shares), width, width))
    depths = [seen(accuracy, width=width) for accuracy in worlds]
    assert sum(depth.low > 0.05 for depth in depths) >= 22
    assert sum(depth.low > truth for depth in depths) <= 1
    assert truth == pytest.approx(np.median([depth.estimate for depth in depths]), abs=0.1)


def test_a_dip_knows_its_seeds_and_its_place():
    found = dip(curve(DIPPING, noise=0), DoubleDescentOptions())
    assert (5, ("12", "32–40", "64")) == (found.seeds, found.sizes)
    assert pytest.approx((0.5, 0.9)) == found.legs


@effort(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=len(SIZES), max_size=len(SIZES)).map(sorted))
def test_a_monotone_mean_never_dips_whatever_its_shape(means):
    finding = found(flat(np.repeat(np.array(means)[:, None], 5, axis=1)))
    assert finding.effect <= 1e-6
