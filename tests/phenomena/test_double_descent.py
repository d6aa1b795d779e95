"""Double descent in model size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import DeeperDoubleDescent, DoubleDescent
from grokbench.phenomena.double_descent import deepest, legs, needed_widening, without_dip
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, ramp, shuffled, world

SIZES = (4, 8, 12, 16, 24, 32, 40, 48, 56, 64)
DIPPING = (0.2, 0.4, 0.5, 0.3, 0.05, 0.0, 0.0, 0.3, 0.7, 0.9)
RISING = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0)


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


def test_a_dip_over_several_sizes_survives_smoothing_and_noise():
    finding = found(curve(DIPPING))
    assert finding.low > 0.2
    assert finding.seeds == 5


def test_a_curve_that_only_rises_is_shown_not_to_dip():
    assert found(curve(RISING)).high < 0.1


def test_a_curve_that_only_falls_is_shown_not_to_dip():
    assert found(curve(RISING[::-1])).high < 0.1


def test_a_fall_without_a_rise_is_no_dip():
    assert found(curve((0.2, 0.5, 0.8, 0.9, 0.6, 0.3, 0.1, 0.0, 0.0, 0.0))).high < 0.1


def test_the_evidence_names_peak_dip_and_recovery_where_there_is_a_dip():
    evidence = found(curve(DIPPING, noise=0), smoothing=False).evidence
    assert "falls by 0.50 and rises by 0.90" in evidence
    assert "peaks at size 12, dips at 32 and is up again at 64" in evidence


@pytest.mark.parametrize("levels", [RISING, RISING[::-1]], ids=["rising", "falling"])
def test_the_evidence_says_that_there_is_no_dip_and_how_far_it_is_from_one(levels):
    finding = found(curve(levels, noise=0), smoothing=False)
    assert finding.evidence.startswith("no dip was found: ")
    assert f"the smaller, {finding.effect:z.2f}, is not above zero" in finding.evidence
    assert "dips at" not in finding.evidence


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
        dataset = flat(np.where(groks, 1.0, 0.03))
        dips += found(dataset).low >= 0.1
    assert dips <= 2


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
    lost = {(size, seed) for size in (24, 32) for seed in range(5)} | {(8, 0), (64, 3)}
    assert found(curve(RISING, lost=lost)).high < 0.1


def test_a_seed_without_three_sizes_is_left_out():
    lost = {(size, 0) for size in SIZES[2:]}
    assert found(curve(DIPPING, lost=lost)).seeds == 4


def test_two_data_sizes_at_once_are_refused():
    dataset = world(lambda *_: ending_at(0.5), data_sizes=(350, 450))
    with pytest.raises(NotEnoughDataError, match="data_size has 2 values"):
        found(dataset)


@pytest.mark.parametrize("grid", [{"sizes": (4, 8)}, {"seeds": (0,)}])
def test_two_sizes_or_one_seed_are_not_enough(grid):
    with pytest.raises(NotEnoughDataError, match="three model sizes and two seeds"):
        found(world(lambda *_: ending_at(0.5), **grid))


def test_a_harder_task_that_dips_deeper_is_found_deeper():
    weak = (0.2, 0.4, 0.6, 0.6, 0.45, 0.35, 0.35, 0.7, 0.9, 1.0)
    finding = DeeperDoubleDescent().find({"easier": curve(weak), "harder": curve(DIPPING)})
    assert finding.low > 0.1
    assert finding.effect < 0.5


def test_an_easier_task_that_does_not_dip_counts_as_depth_zero():
    data = {"easier": curve(RISING, noise=0), "harder": curve(DIPPING, noise=0)}
    alone = found(data["harder"])
    assert pytest.approx(alone.effect) == DeeperDoubleDescent().find(data).effect


def test_two_equal_tasks_are_not_deeper_than_each_other():
    data = {"easier": curve(DIPPING), "harder": curve(DIPPING)}
    finding = DeeperDoubleDescent().find(data)
    assert finding.low < 0.02
    assert finding.high < 0.2


def test_two_tasks_that_do_not_dip_are_shown_not_to_be_deeper():
    data = {"easier": curve(RISING[::-1]), "harder": curve(RISING)}
    assert DeeperDoubleDescent().find(data).high < 0.1


def test_no_order_of_the_dataset_matters():
    dataset = curve(DIPPING, lost={(8, 0)})
    assert found(dataset) == found(shuffled(dataset, seed=2))


levels = st.lists(st.floats(0, 1), min_size=3, max_size=12).map(np.array)


@given(levels)
def test_the_deepest_dip_is_the_deepest_of_all_triples(means):
    size = len(means)
    depths = [
        min(means[i], means[k]) - means[j]
        for i in range(size)
        for j in range(i + 1, size)
        for k in range(j + 1, size)
    ]
    i, j, k = deepest(means)
    assert max(depths) == min(means[i], means[k]) - means[j]


@given(levels)
def test_the_nearest_curve_without_a_dip_has_none_and_is_the_curve_where_that_has_none(means):
    fit = without_dip(means, np.ones(len(means)))
    i, j, k = deepest(fit)
    assert min(fit[i], fit[k]) - fit[j] <= 1e-9
    assert fit.tolist() == pytest.approx(without_dip(fit, np.ones(len(fit))).tolist())
    assert ((fit - means) ** 2).sum() <= ((means.mean() - means) ** 2).sum() + 1e-9


def test_seeds_left_out_are_measured_where_the_others_point():
    """The first seed alone is low at the second size; the other two point elsewhere."""
    accuracy = np.array([[0.5, 0.5, 0.5], [0.0, 0.6, 0.6], [0.5, 0.2, 0.2], [0.9, 0.9, 0.9]])
    falls, rises = legs(accuracy, smoothing=False)
    assert pytest.approx((0.0 - 0.5, 0.9 - 0.5)) == (falls[0], rises[0])


def test_an_interval_is_widened_where_noise_chooses_the_sizes_and_not_where_all_seeds_agree():
    generator = np.random.default_rng(0)
    noisy = (generator.random((15, 11)) < 0.5).astype(float)
    agreed = np.array(RISING)[:, None] + 1e-4 * generator.standard_normal((len(RISING), 11))
    assert needed_widening(noisy, smoothing=False) > 1.1
    assert 1.0 == needed_widening(agreed[:6], smoothing=False)


@effort(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=len(SIZES), max_size=len(SIZES)).map(sorted))
def test_a_monotone_mean_never_dips_whatever_its_shape(means):
    finding = found(flat(np.repeat(np.array(means)[:, None], 5, axis=1)))
    assert finding.effect <= 1e-6
