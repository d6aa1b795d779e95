"""Double descent in model size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError, OptionsError, OutOfReachError
from grokbench.phenomena import DeeperDoubleDescent, DoubleDescent
from grokbench.phenomena.deeper_double_descent import difference
from grokbench.phenomena.double_descent import DoubleDescentOptions, find_dip
from grokbench.statistics.intervals import Interval
from grokbench.testing.simulator import FLAWLESS, Grid, Levels, simulate
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
    with pytest.raises(NotEnoughDataError, match=r"12 sizes for a width of 4.*there are 10"):
        found(curve(DIPPING), width=4)
    detector = DoubleDescent.from_options({"width": 4})
    assert "takes 12 model sizes, and the grid has 10" in detector.warning(
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


# Declared places.

PLACES = {"peak": [8, 12], "bottom": [32, 40], "recovery": [56, 64]}


def test_a_declared_dip_is_as_deep_as_the_smaller_leg_between_the_means_of_its_places():
    finding = found(curve(DIPPING, noise=0), places=PLACES)
    assert pytest.approx(0.45) == finding.effect
    assert pytest.approx((0.45, 0.8)) == (finding.details["fall"], finding.details["rise"])
    assert (
        "mean accuracy falls by 0.45 from the peak (sizes 8 and 12) to the bottom (sizes 32 and "
        "40) and rises by 0.80 to the recovery (sizes 56 and 64)"
    ) == finding.evidence


def test_a_deep_dip_is_found_with_five_seeds_at_the_confidence_of_the_first_of_14_claims():
    levels = (0.3, 0.7, 0.8, 0.5, 0.1, 0.0, 0.0, 0.9, 1.0, 1.0)
    detector = DoubleDescent.from_options({"places": PLACES}).at(1 - 0.05 / 14)
    assert detector.find({"experiment": curve(levels)}).low > 0


def test_sizes_that_no_place_names_do_not_matter():
    places = {"peak": [12], "bottom": [32], "recovery": [64]}
    spoilt = list(DIPPING)
    spoilt[4] = 0.9
    assert found(curve(DIPPING, noise=0), places=places) == found(
        curve(spoilt, noise=0), places=places
    )


def test_no_declared_dip_is_shown_where_accuracy_only_rises():
    finding = found(curve(RISING, seeds=5), places=PLACES)
    assert finding.effect < 0
    assert finding.high < 0.1


def test_agreeing_seeds_leave_room_for_runs_that_no_seed_shows():
    """A bottom of two sizes with five runs each, all at 1: 0.025 ** (1 / 10) may generalize only."""
    finding = found(curve([1.0] * len(SIZES), noise=0), places=PLACES)
    assert 0 == pytest.approx(finding.effect)
    assert pytest.approx(1 - 0.025**0.1, abs=0.005) == finding.high


def test_an_interval_at_declared_places_is_never_narrower_at_a_higher_confidence():
    data = {"easier": curve(RISING, noise=0.2), "harder": curve(DIPPING, noise=0.2)}
    detectors = (
        (DoubleDescent.from_options({"places": PLACES}), {"experiment": data["harder"]}),
        (DeeperDoubleDescent.from_options({"places": PLACES}), data),
    )
    for detector, seen in detectors:
        findings = [
            detector.at(confidence).find(seen) for confidence in (0.5, 0.95, 0.99, 0.999, 0.9999)
        ]
        ends = np.array([(finding.low, finding.high) for finding in findings])
        assert (np.diff(ends[:, 0]) < 0).all()
        assert (np.diff(ends[:, 1]) > 0).all()


def test_a_dip_is_deeper_at_declared_places_by_the_difference_of_the_depths():
    weak = (0.2, 0.4, 0.6, 0.6, 0.45, 0.35, 0.35, 0.7, 0.9, 1.0)
    data = {"easier": curve(weak, 11, noise=0), "harder": curve(DIPPING, 11, noise=0)}
    finding = DeeperDoubleDescent.from_options({"places": PLACES}).find(data)
    assert pytest.approx(0.45 - 0.15) == finding.effect
    assert 0 < finding.low < finding.effect < finding.high


def test_an_easier_task_without_a_dip_at_the_places_counts_as_depth_zero():
    data = {"easier": curve(RISING, noise=0), "harder": curve(DIPPING, noise=0)}
    finding = DeeperDoubleDescent.from_options({"places": PLACES}).find(data)
    assert pytest.approx(0.45) == finding.effect
    assert -1 <= finding.low


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"peak": [], "bottom": [32], "recovery": [64]}, r"places\.peak: is too short"),
        ({"peak": [8], "bottom": [32]}, r"places\.recovery: is missing"),
        ({"peak": [8, 32], "bottom": [32], "recovery": [64]}, "size 32 is named twice"),
        ({"peak": [64], "bottom": ["1x64"], "recovery": [96]}, "size 64 is named twice"),
        ({"peak": [8, 40], "bottom": [32], "recovery": [64]}, "size 40 of the peak is not smaller"),
        ({"peak": [8], "bottom": [70], "recovery": [64]}, "size 70 of the bottom is not smaller"),
        ({"peak": [True], "bottom": [32], "recovery": [64]}, r'a label such as "2x128"'),
        ({"peak": ["small"], "bottom": [32], "recovery": [64]}, r'a label such as "2x128"'),
        ({"peak": [8], "bottom": [32], "recovery": [64], "top": [3]}, r"places\.top: unknown key"),
    ],
)
def test_places_that_make_no_dip_are_refused(places, message):
    with pytest.raises(OptionsError, match=message):
        DoubleDescent.from_options({"places": places})


@pytest.mark.parametrize("searching", [{"width": 2}, {"smoothing": False}, {"cautious": True}])
def test_options_of_the_search_are_refused_with_places(searching):
    with pytest.raises(OptionsError, match=r"says how to search.*leave it out"):
        DoubleDescent.from_options({"places": PLACES, **searching})


def test_a_place_that_the_data_lack_is_named():
    places = {"peak": [8], "bottom": [33], "recovery": [64]}
    with pytest.raises(NotEnoughDataError, match="model size 33, which is not among the sizes"):
        found(curve(DIPPING), places=places)
    lost = {(32, seed) for seed in range(5)}
    with pytest.raises(NotEnoughDataError, match="model size 32, which has no finished run"):
        found(curve(DIPPING, lost=lost), places=PLACES)


def test_places_are_warned_of_where_the_grid_has_fewer_sizes():
    detector = DoubleDescent.from_options({"places": PLACES})
    assert "names 6 model sizes, and the grid has 5" in detector.warning(
        {"experiment": {"model_size": 5}}
    )
    assert detector.warning({"experiment": {"model_size": 6}}) is None


def test_labels_of_several_layers_are_in_the_order_of_their_parameters():
    dataset = simulate(
        Levels((0.6, 0.05, 0.9), 50.0), Grid((128, "2x128", "4x128"), seeds=5), 0, FLAWLESS
    )
    dip = {"peak": [128], "bottom": ["2x128"], "recovery": ["4x128"]}
    assert found(dataset, places=dip).effect > 0.3
    wrong = {"peak": ["4x128"], "bottom": ["2x128"], "recovery": [128]}
    with pytest.raises(NotEnoughDataError, match="size 4x128 of the peak is not smaller"):
        found(dataset, places=wrong)


def test_where_no_run_learns_anything_no_number_of_seeds_can_tell():
    with pytest.raises(OutOfReachError, match=r"no run reaches 0\.1; train larger models"):
        found(curve([0.01] * len(SIZES), noise=0), places=PLACES)
    with pytest.raises(OutOfReachError):
        found(curve([0.01] * len(SIZES), noise=0))


def test_where_a_run_learns_by_chance_more_seeds_may_tell():
    levels = [0.01] * len(SIZES)
    levels[-1] = 0.15
    dataset = curve(levels, noise=0)
    for name in ("validation_accuracy", "mirror_free_accuracy"):
        dataset[name][..., 1:, :] = 0.01
    with pytest.raises(NotEnoughDataError, match="nothing was learned") as raised:
        found(dataset, places=PLACES)
    assert not isinstance(raised.value, OutOfReachError)


def test_missing_runs_at_the_places_leave_sizes_their_equal_weight():
    lost = {(8, seed) for seed in range(4)}
    whole, partly = (curve(DIPPING, noise=0, lost=cells) for cells in (set(), lost))
    assert found(whole, places=PLACES).effect == pytest.approx(found(partly, places=PLACES).effect)
    assert 1 == found(partly, places=PLACES).seeds
    assert found(partly, places=PLACES).low < found(whole, places=PLACES).low


def test_no_order_of_the_dataset_matters_at_declared_places():
    dataset = curve(DIPPING, noise=0.2, lost={(8, 0)})
    assert found(dataset, places=PLACES) == found(shuffled(dataset, seed=2), places=PLACES)
