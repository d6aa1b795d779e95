"""Figures draw the numbers of the datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import BUILT_IN
from grokbench.phenomena.base import Drawing
from grokbench.readout import Dynamic, capacities, critical_data_sizes, settled
from grokbench.report.figures.overview import overview
from grokbench.report.figures.zones import shares
from grokbench.report.lines import Line
from grokbench.report.palette import FILLS, ordered
from grokbench.report.svg import house_style
from grokbench.statistics.intervals import t_interval
from grokbench.theory.predicted_shares import OUTCOMES, predictor
from grokbench.theory.zones import CurveOptions
from tests.phenomena.worlds import (
    NOT_RUN,
    STEPS,
    Run,
    ending_at,
    grokking,
    memorizing,
    memorizing_random_labels,
    world,
)
from tests.report.results import DATA_SIZES, SEEDS, SIZES, four_zones, random_labels

Data = Mapping[str, xr.Dataset]


def draw(name: str, data: Data, **options: Any) -> Drawing:
    (kind,) = (detector for detector in BUILT_IN if detector.name == name)
    with house_style():
        drawing = kind.from_options(options).figure(data, None)
    assert drawing is not None
    return drawing


def with_a_gap(size: int, data_size: int, seed: int) -> Run:
    return NOT_RUN if (size, data_size) == (16, 450) else four_zones(size, data_size, seed)


ADDITION = world(with_a_gap, sizes=SIZES, data_sizes=DATA_SIZES, seeds=SEEDS)
CAPACITY = world(random_labels, sizes=SIZES, data_sizes=(961,), seeds=SEEDS)


def means(axes: Axes) -> dict[str, np.ndarray]:
    """Label → vertical positions, of every drawn line that has a label."""
    return {
        str(line.get_label()): np.asarray(line.get_ydata(), float)
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_accuracy_against_model_size_is_the_mean_over_seeds_of_each_data_size() -> None:
    drawn = means(draw("double_descent", {"experiment": ADDITION}).figure.axes[0])
    expected = settled(ADDITION, "validation_accuracy").mean("seed")
    assert {str(size) for size in DATA_SIZES} == set(drawn)
    for size in DATA_SIZES:
        np.testing.assert_allclose(
            expected.sel(data_size=size).to_numpy(), drawn[str(size)], atol=1e-12
        )


def test_a_figure_of_accuracy_names_no_dip_that_may_not_be_there() -> None:
    drawing = draw("double_descent", {"experiment": ADDITION})
    assert "dip" not in f"{drawing.title} {drawing.caption} {drawing.alternative}"


def test_declared_places_are_shaded_and_named_above_the_figure_and_in_words() -> None:
    places = {"peak": [4, 16], "bottom": [32], "recovery": [64]}
    drawing = draw("double_descent", {"experiment": ADDITION}, places=places)
    axes = drawing.figure.axes[0]
    assert ["peak", "peak", "bottom", "recovery"] == [text.get_text() for text in axes.texts]
    bands = [patch.get_bbox().intervalx for patch in axes.patches if isinstance(patch, Rectangle)]
    # Half way to the neighbour on a logarithmic axis, and as far beyond the ends of the grid.
    edges = [2**1.5, 2**2.5, 2**3.5, 2**4.5, 2**4.5, 2**5.5, 2**5.5, 2**6.5]
    assert pytest.approx(edges) == np.ravel(bands)
    for words in (drawing.caption, drawing.alternative):
        assert words.endswith("names: peak at 4, 16; bottom at 32; recovery at 64.")


@pytest.mark.parametrize("detector", ["double_descent", "critical_data_size", "emergence"])
def test_bands_of_accuracies_end_at_0_and_1_as_the_caption_says(detector: str) -> None:
    nearly = world(
        lambda _size, _data, seed: ending_at(1.0 if seed else 0.7), sizes=SIZES, data_sizes=(400,)
    )
    final = settled(nearly, "validation_accuracy").to_numpy()[0, 0]
    assert t_interval(final).high > 1
    roles = ("reference", "shifted") if detector == "emergence" else ("experiment",)
    drawing = draw(detector, dict.fromkeys(roles, nearly))
    bands = [c for c in drawing.figure.axes[0].collections if isinstance(c, PolyCollection)]
    heights = np.concatenate([path.vertices[:, 1] for c in bands for path in c.get_paths()])
    assert heights.max() == 1
    assert "cut off" in drawing.caption


def test_a_cell_without_a_finished_run_leaves_a_gap_and_no_zero() -> None:
    axes = draw("double_descent", {"experiment": ADDITION}).figure.axes[0]
    assert [False, False, True, False, False] == np.isnan(means(axes)["450"]).tolist()
    dots = np.concatenate([np.ma.filled(c.get_offsets(), np.nan) for c in axes.collections[1::2]])
    at_the_gap = dots[dots[:, 0] == 16, 1]
    finished = (len(DATA_SIZES) - 1) * len(SEEDS)
    assert finished == np.count_nonzero(~np.isnan(at_the_gap))


def test_every_seed_is_a_dot() -> None:
    axes = draw("double_descent", {"experiment": ADDITION}).figure.axes[0]
    dots = np.ma.filled(axes.collections[1].get_offsets(), np.nan)
    expected = settled(ADDITION, "validation_accuracy").sel(data_size=350)
    np.testing.assert_allclose(
        expected.transpose("model_size", "seed").to_numpy().ravel(), dots[:, 1]
    )


def test_the_metric_that_the_claim_is_about_is_drawn() -> None:
    leaking = world(lambda *_: replace(memorizing(), validation=np.full(len(STEPS), 0.5)))
    plain = draw("double_descent", {"experiment": leaking}, metric="validation_accuracy")
    free = draw("double_descent", {"experiment": leaking}, metric="mirror_free_accuracy")
    assert pytest.approx(0.5) == means(plain.figure.axes[0])["400"][0]
    assert pytest.approx(0.01) == means(free.figure.axes[0])["400"][0]


@given(
    st.lists(
        st.lists(st.floats(0, 1) | st.just(np.nan), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_a_line_reads_the_seeds_that_there_are(rows: list[list[float]]) -> None:
    line = Line("line", np.arange(len(rows), dtype=float), np.array(rows))
    for index, row in enumerate(rows):
        known = np.array([value for value in row if not np.isnan(value)])
        assert len(known) == line.seeds[index]
        low, high = (end[index] for end in line.interval)
        if not len(known):
            assert np.isnan(line.mean[index])
            assert np.isnan(line.best[index])
        else:
            assert pytest.approx(known.mean()) == line.mean[index]
            assert known.max() == line.best[index]
        if len(known) < 2:
            assert np.isnan([low, high]).all()
        else:
            interval = t_interval(known)
            assert (interval.low, interval.high) == (low, high)


def test_accuracy_against_data_size_shows_the_brackets_of_critical_data_sizes() -> None:
    figure = draw("critical_data_size", {"experiment": ADDITION}).figure
    accuracy, strip = figure.axes[:2]
    assert {str(size) for size in SIZES} == set(means(accuracy))
    curve = critical_data_sizes(ADDITION)
    bars = [line for line in strip.get_lines() if len(line.get_xdata()) == 2]
    assert len(SIZES) == len(bars)
    for row, size in enumerate(SIZES):
        low, high = (float(curve[end].sel(model_size=size)) for end in ("low", "high"))
        drawn = np.asarray(bars[row].get_xdata(), float)
        assert low == drawn[0]
        assert (high == drawn[1]) or (np.isinf(high) and drawn[1] > max(DATA_SIZES))


def test_capacity_is_drawn_as_it_was_measured_and_open_where_it_is_a_bound() -> None:
    saturating = world(
        lambda size, *_: memorizing_random_labels(min(1.0, size / 32)), data_sizes=(961,)
    )
    axes = draw("memorization_capacity", {"experiment": saturating}).figure.axes[0]
    measured = capacities(saturating)["capacity"].to_numpy()
    np.testing.assert_allclose(measured, means(axes)["memorization capacity"])
    openings = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    assert [[32, 64]] == [np.asarray(line.get_xdata()).tolist() for line in openings]


def strips(axes: Axes) -> list[Rectangle]:
    labels = {dynamic.label for dynamic in FILLS}
    return [p for p in axes.patches if isinstance(p, Rectangle) and p.get_label() in labels]


def test_the_strips_of_a_cell_are_as_wide_as_the_shares_of_its_runs() -> None:
    mixed = world(
        lambda _size, _data, seed: grokking() if seed < 2 else memorizing(),
        sizes=(16, 32),
        data_sizes=(400, 500),
    )
    axes = draw("dynamics", {"experiment": mixed}).figure.axes[0]
    first = sorted(strips(axes), key=lambda strip: (strip.get_y(), strip.get_x()))[:2]
    widths = [np.log2((p.get_x() + p.get_width()) / p.get_x()) for p in first]
    assert ["ungrokking", "grokking"] == [p.get_label() for p in first]
    assert pytest.approx(3 / 5) == widths[0] / sum(widths)


def test_a_cell_without_a_finished_run_has_no_strip() -> None:
    axes = draw("dynamics", {"experiment": ADDITION}).figure.axes[0]
    covered = sum(p.get_x() < 16 < p.get_x() + p.get_width() for p in strips(axes))
    assert len(DATA_SIZES) - 1 == covered


def test_an_unfinished_run_counts_for_no_dynamic() -> None:
    cell = np.array([[[Dynamic.GROKKING, Dynamic.UNKNOWN]]], np.int8)
    found = {dynamic: float(share[0, 0]) for dynamic, share in shares(cell).items()}
    assert {Dynamic.GROKKING: 0.5} == {d: share for d, share in found.items() if share}


def test_dynamics_differ_in_colour_and_in_hatch() -> None:
    assert len(FILLS) == len({fill.hatch for fill in FILLS.values()})
    assert len(FILLS) == len({fill.colour for fill in FILLS.values()})


@pytest.mark.parametrize("count", range(1, 16))
def test_ordered_lines_differ_without_their_colours_too(count: int) -> None:
    strokes = ordered(count)
    assert count == len({to_hex(stroke.colour) for stroke in strokes})
    assert count == len({(stroke.marker, stroke.dash) for stroke in strokes})


def test_the_map_carries_both_curves_their_crossing_and_the_prediction() -> None:
    data = {"memorization": CAPACITY, "critical": ADDITION, "target": ADDITION}
    did, predicted = draw("zone_prediction", data).figure.axes
    assert ("observed", "predicted") == tuple(
        axes.get_title(loc="left") for axes in (did, predicted)
    )
    drawn = means(did)
    np.testing.assert_allclose(
        capacities(CAPACITY)["capacity"].to_numpy(), drawn["memorization capacity"]
    )
    estimates = critical_data_sizes(ADDITION)["estimate"].to_numpy()
    np.testing.assert_allclose(
        estimates[~np.isnan(estimates)], drawn["critical data size"], rtol=1e-12
    )
    assert strips(predicted)
    assert "crossing of the curves" in drawn


def test_the_predicted_strips_are_as_wide_as_the_predicted_shares() -> None:
    data = {"memorization": CAPACITY, "critical": ADDITION, "target": ADDITION}
    drawing = draw("zone_probabilities", data)
    did, predicted = drawing.figure.axes
    assert ("observed", "predicted") == tuple(
        axes.get_title(loc="left") for axes in (did, predicted)
    )
    theory = predictor(CAPACITY, ADDITION, ADDITION, CurveOptions()).shares().theory
    # The first cell: the smallest model and the smallest data size.
    border = np.sqrt(SIZES[0] * SIZES[1])
    bottom = min(strip.get_y() for strip in strips(predicted))
    cell = [s for s in strips(predicted) if s.get_y() == bottom and s.get_x() < border * (1 - 1e-7)]
    widths = {
        strip.get_label(): np.log2((strip.get_x() + strip.get_width()) / strip.get_x())
        for strip in cell
    }
    whole = sum(widths.values())
    expected = dict(zip((one.label for one in OUTCOMES), theory[0], strict=True))
    assert {name: share for name, share in expected.items() if share} == pytest.approx(
        {name: width / whole for name, width in widths.items()}
    )
    assert "predicted shares" in drawing.caption


def test_training_curves_show_one_run_of_each_dynamic_as_it_was_recorded() -> None:
    figure = draw("norm_change", {"experiment": ADDITION}).figure
    above, below = figure.axes[:4], figure.axes[4:]
    titles = [axes.get_title(loc="left").strip() for axes in above]
    assert ["progression", "ungrokking", "semi-grokking", "grokking"] == titles
    run = ADDITION.sel(model_size=64, data_size=450, seed=0)
    drawn = means(above[3])
    np.testing.assert_array_equal(run["train_accuracy"].to_numpy(), drawn["training"])
    np.testing.assert_array_equal(run["validation_accuracy"].to_numpy(), drawn["validation"])
    norm = np.asarray(below[3].get_lines()[len(SEEDS)].get_ydata())
    np.testing.assert_array_equal(run["parameter_norm"].to_numpy(), norm)


def test_training_curves_of_runs_that_validate_nothing_cannot_be_drawn() -> None:
    with pytest.raises(NotEnoughDataError, match="validation"):
        draw("norm_change", {"experiment": CAPACITY})


def test_emergence_draws_mean_and_best_of_both_experiments_over_parameters() -> None:
    def emerging(size: int, _: int, seed: int) -> Run:
        return grokking() if size >= 16 * (1 + seed % 2) else memorizing()

    data = {"reference": world(emerging), "shifted": world(lambda *_: memorizing())}
    axes = draw("emergence", data).figure.axes[0]
    reference, _, best, _ = [line for line in axes.get_lines() if len(line.get_xdata()) == 4]
    assert [800, 1600, 3200, 6400] == np.asarray(reference.get_xdata()).tolist()
    np.testing.assert_allclose([0.01, 0.604, 1, 1], reference.get_ydata(), atol=1e-6)
    np.testing.assert_allclose([0.01, 1, 1, 1], best.get_ydata(), atol=1e-6)


def test_the_accuracy_gap_is_drawn_at_the_sizes_that_both_experiments_have() -> None:
    def ending(*levels: float) -> Callable[[int, int, int], Run]:
        return lambda size, _data, _seed: ending_at(levels[size // 65])

    data = {
        "reference": world(ending(1.0, 1.0), sizes=(64, 128)),
        "shifted": world(ending(0.1, 0.3), sizes=(32, 64, 128)),
    }
    drawing = draw("accuracy_gap", data)
    axes = drawing.figure.axes[0]
    assert ["64", "128"] == [label.get_text() for label in axes.get_xticklabels()]
    reference, shifted = [line.get_ydata() for line in axes.get_lines()]
    np.testing.assert_allclose([1, 1], reference, atol=1e-6)
    np.testing.assert_allclose([0.1, 0.3], shifted, atol=1e-6)
    (bars,) = (one for one in axes.collections if isinstance(one, LineCollection))
    heights = [sorted(path.vertices[:, 1].tolist()) for path in bars.get_paths()]
    np.testing.assert_allclose([[0.1, 1], [0.3, 1]], heights, atol=1e-6)
    assert "At size 128: 1.00 and 0.30." in drawing.alternative


def test_a_swept_field_makes_a_panel_for_each_value() -> None:
    swept = xr.concat(
        [ADDITION.expand_dims(weight_decay=[value]) for value in (0.1, 1.0)], "weight_decay"
    ).assign_coords(parameters=ADDITION["parameters"])
    figure = draw("double_descent", {"experiment": swept}).figure
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert ["weight decay 0.1", "weight decay 1.0"] == titles


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (ADDITION, "Accuracy against model size"),
        (ADDITION.isel(model_size=[4]), "Accuracy against data size"),
        (ADDITION.isel(model_size=[4], data_size=[1]), "Training curves"),
    ],
)
def test_a_detector_without_a_figure_gets_what_was_varied(data: xr.Dataset, title: str) -> None:
    with house_style():
        assert title == overview({"experiment": data}).title


def test_every_built_in_figure_says_what_it_shows() -> None:
    for detector, data in {
        "double_descent": {"experiment": ADDITION},
        "critical_data_size": {"experiment": ADDITION},
        "memorization_capacity": {"experiment": CAPACITY},
        "zone_prediction": {"memorization": CAPACITY, "target": ADDITION},
        "zone_probabilities": {"memorization": CAPACITY, "target": ADDITION},
    }.items():
        drawing = draw(detector, data)
        assert "5 seeds" in drawing.caption
        assert drawing.alternative.endswith(".")


def test_settings_made_elsewhere_neither_reach_a_figure_nor_are_changed_by_it() -> None:
    with mpl.rc_context({"lines.linewidth": 9}):
        line = draw("memorization_capacity", {"experiment": CAPACITY}).figure.axes[0].get_lines()[0]
        assert line.get_linewidth() < 3
        assert mpl.rcParams["lines.linewidth"] == 9
