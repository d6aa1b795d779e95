"""Which readings of two results are found to differ."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from grokbench.comparison import compare
from grokbench.comparison.cells import CellComparison, OneSided, Reading, compare_cells
from grokbench.comparison.readings import ReadingName, average, on_one_scale
from grokbench.errors import ResultsError
from grokbench.record import ModelSize, Status
from tests.comparison.results import ADDITION, MEASURED, RECIPE, Fate, noisy, planted, results

OTHERS = (100, 101, 102, 103, 104)
FEW = settings(max_examples=10)
NUMBERS = st.floats(-1e6, 1e6).filter(lambda number: number == 0 or abs(number) > 1e-6)


def told(comparison: CellComparison) -> set[tuple[str, str]]:
    """Each reading that differs: its cell and its name."""
    return {(one.place, one.measured) for one in comparison.different}


def cells_told(comparison: CellComparison) -> set[str]:
    return {one.place for one in comparison.different}


def test_honest_pairs_are_seldom_told_apart() -> None:
    """Of 20 pairs at the level of 1 %, more than one alarm is one case in sixty."""
    alarms = 0
    for pair in range(20):
        one = results(seeds=[1000 * pair + seed for seed in range(5)])
        other = results(seeds=[1000 * pair + 500 + seed for seed in range(5)])
        alarms += bool(compare_cells(one, other).different)
    assert alarms <= 1


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({"accuracy": 0.02}, "validation_accuracy"),
        ({"norm": 80.0}, "parameter_norm"),
    ],
)
def test_a_planted_difference_is_found_where_it_is(
    changes: dict[str, float], measured: str
) -> None:
    comparison = compare_cells(results(), results(planted(16, 300, **changes), seeds=OTHERS))
    assert ("data_size 300, model_size 16", measured) in told(comparison)
    assert {"data_size 300, model_size 16"} == cells_told(comparison)


def test_runs_that_generalize_later_and_end_alike_are_told_apart_by_the_step_alone() -> None:
    def late(run) -> Fate:
        return replace(noisy(run), accuracy=1.0, at=900.0 if run.size == ModelSize(8) else 400.0)

    def early(run) -> Fate:
        return replace(noisy(run), accuracy=1.0, at=400.0 + run.seed)

    comparison = compare_cells(results(early), results(late, seeds=OTHERS))
    assert {
        ("data_size 300, model_size 8", "generalized_step"),
        ("data_size 600, model_size 8", "generalized_step"),
    } == told(comparison)


def test_a_difference_that_is_everywhere_is_found_everywhere() -> None:
    def heavier(run) -> Fate:
        return replace(noisy(run), norm=100.0)

    comparison = compare_cells(results(), results(heavier, seeds=OTHERS))
    assert 6 == len([one for one in comparison.different if one.measured == "parameter_norm"])


def test_what_is_equal_bit_by_bit_is_the_same_and_not_compared() -> None:
    comparison = compare_cells(results(), results())
    assert (6, 6) == (comparison.overlap.cells, comparison.overlap.identical_cells)
    assert (30, 30) == (comparison.overlap.shared_runs, comparison.overlap.identical_runs)
    assert () == comparison.readings


def test_runs_of_one_identity_that_came_out_otherwise_are_counted() -> None:
    """For example on another device: the same seeds, but other bits in one cell."""
    changed = results(planted(32, 600, norm=21.0))
    overlap = compare_cells(results(), changed).overlap
    assert (30, 25) == (overlap.shared_runs, overlap.identical_runs)
    assert (6, 5) == (overlap.cells, overlap.identical_cells)
    assert 1 == overlap.shared_seeds


def test_runs_that_differ_in_a_measured_quantity_alone_are_not_equal_bit_by_bit() -> None:
    changed = results(planted(32, 600, sharpness=2e-6), experiments=[MEASURED])
    comparison = compare_cells(results(experiments=[MEASURED]), changed)
    assert (30, 25) == (comparison.overlap.shared_runs, comparison.overlap.identical_runs)
    assert (6, 5) == (comparison.overlap.cells, comparison.overlap.identical_cells)
    assert "hessian_sharpness" in {one.measured for one in comparison.readings}


def test_a_planted_difference_in_a_measured_quantity_is_found_however_small_its_unit() -> None:
    one = results(experiments=[MEASURED])
    other = results(planted(16, 300, sharpness=5e-6), experiments=[MEASURED], seeds=OTHERS)
    comparison = compare_cells(one, other)
    assert {("data_size 300, model_size 16", "hessian_sharpness")} == told(comparison)
    (found,) = comparison.different
    assert pytest.approx(5e-6) == found.second
    assert 0.5e-6 < found.first < 2e-6


def test_a_quantity_that_only_one_of_them_measured_is_not_compared() -> None:
    comparison = compare_cells(results(), results(experiments=[MEASURED], seeds=OTHERS))
    assert "hessian_sharpness" not in {one.measured for one in comparison.readings}
    assert 6 == comparison.overlap.cells


def test_honest_repetitions_are_not_told_apart_by_measured_quantities() -> None:
    """Of 10 pairs at the level of 1 %, more than one alarm is one case in two hundred."""
    alarms = 0
    for pair in range(10):
        one, other = (
            results(seeds=[1000 * pair + begin + seed for seed in range(5)], experiments=[MEASURED])
            for begin in (0, 500)
        )
        found = compare_cells(one, other).different
        alarms += any(reading.measured == "hessian_sharpness" for reading in found)
    assert alarms <= 1


@given(
    st.lists(NUMBERS | st.just(np.inf) | st.just(np.nan), min_size=1, max_size=6),
    st.lists(NUMBERS | st.just(-np.inf), min_size=1, max_size=6),
    st.sampled_from([1e-9, 1.0, 1e9]),
)
def test_the_unit_of_a_measured_quantity_does_not_matter(first, second, unit) -> None:
    name = ReadingName("hessian_sharpness")
    sides = np.array(first), np.array(second)
    scaled = on_one_scale(name, sides[0] * unit, sides[1] * unit, 1000)
    for expected, observed in zip(on_one_scale(name, *sides, 1000), scaled, strict=True):
        np.testing.assert_allclose(expected, observed, rtol=1e-9)
        assert (np.isnan(observed) | (np.abs(observed) <= 2)).all()


def test_three_seeds_tell_nothing_apart_and_it_is_said() -> None:
    one = results(seeds=[0, 1, 2])
    other = results(lambda run: Fate(0.0, 500, 1000.0), seeds=[100, 101, 102])
    comparison = compare_cells(one, other)
    assert () == comparison.different
    (seeds,) = comparison.seeds
    assert (3, 3, 6) == (seeds.first, seeds.second, seeds.cells)
    assert pytest.approx(0.1) == seeds.smallest_p
    assert math.isinf(seeds.visible_gap)
    assert {1.0} == {one.corrected for one in comparison.readings}


@FEW
@given(st.integers(0, 10_000), st.integers(3, 9), st.integers(3, 9))
def test_the_order_of_two_results_changes_nothing_but_names(
    salt: int, first: int, second: int
) -> None:
    one = results(lambda run: noisy(run, salt), seeds=range(first))
    other = results(planted(8, 600, norm=26.0), seeds=range(50, 50 + second))
    forward, back = compare_cells(one, other), compare_cells(other, one)
    mirrored = [
        replace(r, first=r.second, second=r.first, seeds=(r.seeds[1], r.seeds[0]))
        for r in back.readings
    ]
    assert list(forward.readings) == mirrored
    assert [one.visible_gap for one in forward.seeds] == [one.visible_gap for one in back.seeds]


@cache
def pair() -> tuple[xr.DataTree, xr.DataTree]:
    return results(), results(planted(16, 300, norm=80.0), seeds=OTHERS)


@FEW
@given(st.randoms(use_true_random=False))
def test_no_order_within_the_results_matters(random) -> None:
    one, other = pair()

    def by_place(comparison: CellComparison) -> dict[tuple[str, str, str], Reading]:
        return {(r.experiment, r.place, r.measured): r for r in comparison.readings}

    expected = by_place(compare_cells(one, other))
    observed = by_place(compare_cells(one, shuffled(other, random)))
    assert expected == observed


def shuffled(tree: xr.DataTree, random) -> xr.DataTree:
    data = tree["addition"].to_dataset()
    for dimension in ("model_size", "data_size", "seed"):
        order = list(range(data.sizes[dimension]))
        random.shuffle(order)
        data = data.isel({dimension: order})
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=tree.attrs), "/addition": data})


def test_cells_that_one_of_them_lacks_are_counted_and_the_others_compared() -> None:
    def partly(run) -> Fate:
        lacking = run.size == ModelSize(8)
        return Fate(status=Status.NOT_RUN) if lacking else planted(16, 300, norm=80.0)(run)

    comparison = compare_cells(results(), results(partly, seeds=OTHERS))
    assert {"addition": 2} == comparison.overlap.only_first
    assert {} == comparison.overlap.only_second
    assert 4 == comparison.overlap.cells
    assert {"data_size 300, model_size 16"} == cells_told(comparison)


def test_seeds_that_are_missing_here_and_there_are_left_out() -> None:
    def gaps(run) -> Fate:
        if (run.seed + run.size.hidden_size) % 5 == 0:
            return Fate(status=Status.NOT_RUN)
        return planted(16, 300, norm=80.0)(run)

    comparison = compare_cells(results(), results(gaps, seeds=range(100, 107)))
    assert "data_size 300, model_size 16" in cells_told(comparison)
    counts = {one.seeds for one in comparison.readings if one.measured == "parameter_norm"}
    assert counts <= {(5, 5), (5, 6)}


def test_runs_that_diverge_are_a_difference() -> None:
    def diverging(run) -> Fate:
        status = Status.DIVERGED if run.size == ModelSize(32) else Status.DONE
        return replace(noisy(run), status=status)

    one, other = results(seeds=range(8)), results(diverging, seeds=range(100, 108))
    assert {
        ("data_size 300, model_size 32", "finished"),
        ("data_size 600, model_size 32", "finished"),
    } == told(compare_cells(one, other))


def test_a_later_field_that_one_of_them_sweeps_has_its_default_in_the_other() -> None:
    """Results do not hold the default: older results, which lack the field, mean the same."""
    swept = replace(ADDITION, swept={"norm": ("free", "initial")})
    first = results()
    assert "norm" not in first["addition"].attrs["recipe"]
    overlap = compare_cells(first, results(experiments=[swept], seeds=OTHERS)).overlap
    assert (6, {}, {"addition": 6}) == (overlap.cells, overlap.only_first, overlap.only_second)


def test_a_field_that_one_of_them_sweeps_is_a_dimension_of_both() -> None:
    swept = replace(ADDITION, swept={"learning_rate": (1e-3, 3e-3)})
    comparison = compare_cells(results(), results(experiments=[swept], seeds=OTHERS))
    assert 6 == comparison.overlap.cells
    assert {"addition": 6} == comparison.overlap.only_second
    assert {"0.001"} == {dict(one.cell)["learning_rate"] for one in comparison.readings}


def test_what_is_reached_after_the_shorter_of_two_budgets_has_not_been_reached_by_then() -> None:
    """All runs generalize at step 800. That is within a budget of 1000 steps, but not of 500."""
    short = replace(ADDITION, recipe=replace(RECIPE, steps=500))
    one = results(lambda run: Fate(1.0, 800))
    other = results(lambda run: Fate(1.0, 800), experiments=[short], seeds=OTHERS)
    comparison = compare_cells(one, other)
    steps = [r for r in comparison.readings if r.measured == "generalized_step"]
    assert 6 == len(steps)
    assert all(800 <= r.first <= 850 and math.isinf(r.second) for r in steps)
    assert {1.0} == {r.p_value for r in steps}


def test_cells_agree_in_model_size_however_it_is_spelled() -> None:
    """A grid with deeper models has text labels; a grid without has numbers."""
    deeper = replace(ADDITION, model_sizes=(*ADDITION.model_sizes, ModelSize(32, 2)))
    comparison = compare_cells(results(), results(experiments=[deeper], seeds=OTHERS))
    assert 6 == comparison.overlap.cells
    assert {"addition": 2} == comparison.overlap.only_second


def test_results_that_share_nothing_are_an_error_that_names_what_there_is() -> None:
    other = results(experiments=[replace(ADDITION, name="subtraction")])
    with pytest.raises(ResultsError, match=r"addition, B has subtraction"):
        compare(results(), other)


def test_the_document_survives_json_and_holds_every_reading() -> None:
    import json

    never = results(lambda run: Fate(0.2, 500), seeds=OTHERS)
    comparison = compare(results(), never)
    document = json.loads(json.dumps(comparison.document(), allow_nan=False))
    assert len(comparison.cells.readings) == len(document["readings"])
    assert len(comparison.cells.different) == document["different"]
    assert "inf" in {one["second"] for one in document["readings"]}
    assert np.isfinite(document["level"])


def test_a_quantity_that_only_one_of_them_has_is_named_and_weakens_no_other_reading() -> None:
    """Once as a measure that B lacks, once as one whose values are all NaN in B."""
    one = results(planted(16, 300, norm=60.0), experiments=[MEASURED])
    plain = results(seeds=OTHERS)
    empty = results(
        lambda run: replace(noisy(run), sharpness=np.nan), experiments=[MEASURED], seeds=OTHERS
    )
    expected = [OneSided("addition", "hessian_sharpness", "", "A", 6)]
    found = [compare_cells(one, other) for other in (plain, empty)]
    for comparison in found:
        assert expected == list(comparison.one_sided)
        assert "hessian_sharpness" not in {reading.measured for reading in comparison.readings}
    p_values = [[reading.corrected for reading in comparison.readings] for comparison in found]
    assert p_values[0] == p_values[1]
    back = compare_cells(empty, one).one_sided
    assert [replace(expected[0], side="B")] == list(back)


def test_readings_that_runs_lack_because_none_of_them_finished_are_not_named() -> None:
    other = results(planted(16, 300, status=Status.DIVERGED), seeds=OTHERS)
    assert () == compare_cells(results(), other).one_sided


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([np.inf, -np.inf], np.nan),
        ([np.inf, -np.inf, 3.0], 3.0),
        ([np.inf, np.inf, -np.inf, np.nan], np.inf),
        ([1.0, np.inf], np.inf),
        ([1.0, 2.0], 1.5),
        ([1.7e308, 1.7e308], 1.7e308),
    ],
)
def test_infinities_of_both_signs_are_compared_without_a_warning(values, median) -> None:
    """The tests turn warnings into errors."""

    def tell(run):
        index = run.seed % len(values)
        return replace(noisy(run), sharpness=values[index])

    assert np.array_equal(median, average(ReadingName("any"), np.array(values)), equal_nan=True)
    infinite = [value for value in values if not np.isfinite(value)]
    if infinite:
        tree = results(tell, experiments=[MEASURED])
        comparison = compare(tree, results(experiments=[MEASURED], seeds=OTHERS))
        json.dumps(comparison.document(), allow_nan=False)
