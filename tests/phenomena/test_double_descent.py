"""Double descent in model size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import DeeperDoubleDescent, DoubleDescent
from grokbench.phenomena.deeper_double_descent import difference
from grokbench.phenomena.double_descent import DoubleDescentOptions, find_dip
from grokbench.statistics.intervals import Interval
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, ramp, shuffled, world

SIZES = (4, 8, 12, 16, 24, 32, 40, 48, 56, 64)
DIPPING = (0.2, 0.4, 0.5, 0.3, 0.05, 0.0, 0.0, 0.3, 0.7, 0.9)
RISING = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0)
MANY = 40
"""If one run in ten failed, 40 seeds would all agree in 1.5 % of experiments only."""


def curve(levels, seeds=5, noise=0.03, sizes=SIZES, lost=()):
    """Runs that end near the `levels` of their sizes; cells (size, seed) in `lost` were not run."""
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
    assert "easier task: none was found" in evidence


def test_a_dip_narrower_than_the_width_asked_for_does_not_count():
    notched = (0.2, 0.4, 0.6, 0.8, 0.9, 0.5, 0.95, 1.0, 1.0, 1.0)
    assert found(curve(notched)).low > 0.2
    assert found(curve(notched, MANY), width=3).high < 0.1


def test_seeds_that_share_no_model_size_are_enough():
    """Means are over the runs of one size; nothing is compared within a seed."""
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
    """Runs whose accuracy does not change during training: `accuracy` is [sizes, seeds]."""
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


def test_a_dip_knows_its_seeds_and_its_place():
    found = find_dip(curve(DIPPING, noise=0), DoubleDescentOptions())
    assert (5, ("12", "32–40", "64")) == (found.depth.seeds, found.sizes)
    assert pytest.approx((0.5, 0.9)) == found.depth.legs


@effort(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=len(SIZES), max_size=len(SIZES)).map(sorted))
def test_a_monotone_mean_never_dips_whatever_its_shape(means):
    finding = found(flat(np.repeat(np.array(means)[:, None], 5, axis=1)))
    assert finding.effect <= 1e-6
