"""Final accuracy over model size with a line for each data size, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grokbench.labels import text_of
from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.phenomena.places import Places
from grokbench.plain import in_figure
from grokbench.readout import critical_data_sizes, generalization_accuracy, settled
from grokbench.readout.critical_data_size import THRESHOLD
from grokbench.report.figures.views import View, views_of
from grokbench.report.lines import (
    CUT,
    WHAT_IS_DRAWN,
    Line,
    draw_line,
    lines_over,
    seeds_behind,
    summary,
)
from grokbench.report.palette import DASHES, GRID, INK, PALE, Stroke, ordered
from grokbench.report.scales import (
    ACCURACIES,
    model_positions,
    show_accuracy,
    show_data_sizes,
    show_model_sizes,
)
from grokbench.report.svg import panels, panels_with_strips

PLAIN = "Final validation accuracy"
MIRROR_FREE = "Final mirror-free accuracy"

Chart = list[tuple[View, list[Line]]]
"""Each panel's view and its lines."""


def against_model_size(
    detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None
) -> Drawing:
    """The accuracy that a detector of dips reads (Huang et al. 2024, Fig. 6)."""
    options = detector.options
    return over_model_size(data, options.metric, options.part, options.places)


def against_data_size(
    detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None
) -> Drawing:
    """The accuracy that critical data sizes are read off (Huang et al. 2024, Fig. 3)."""
    return over_data_size(data, detector.options.threshold, detector.options.part)


def over_model_size(
    data: Mapping[str, xr.Dataset],
    metric: str = "validation_accuracy",
    part: str | None = None,
    places: Places | None = None,
) -> Drawing:
    """Final accuracy over model size, one line for each data size; declared places are shaded."""
    name = MIRROR_FREE if metric == "mirror_free_accuracy" else PLAIN
    chart = []
    for view in views_of(data, part):
        final = settled(view.dataset, metric)
        positions = model_positions(view.dataset)
        chart.append((view, lines_over(final, "model_size", "data_size", positions)))
    figure, axes = panels(len(chart))
    _draw(figure, axes, chart, name, legend="training examples")
    for axis, (view, _) in zip(axes, chart, strict=True):
        show_model_sizes(axis, view.dataset)
        if places is not None:
            _shade(axis, view.dataset, places)
    shaded = "" if places is None else f" {_in_words(places)}"
    return Drawing(
        figure,
        title="Accuracy against model size",
        caption=f"{name} against model size, one line for each number of training examples. "
        f"{WHAT_IS_DRAWN} {CUT} {_seeds(chart)}{shaded}",
        alternative=_alternative(chart, f"{name} against model size", "{} training examples")
        + shaded,
    )


def _shade(axes: Axes, dataset: xr.Dataset, places: Places) -> None:
    """A light band with its name above, for each stretch of sizes that belong to one place."""
    positions = np.log2(model_positions(dataset))
    known = np.flatnonzero(~np.isnan(positions))
    labels = [text_of(label) for label in dataset["model_size"].to_numpy()[known].tolist()]
    owner = {size: place for place, sizes in places.names.items() for size in sizes}
    middles = (positions[known][1:] + positions[known][:-1]) / 2
    # At the ends of the grid a band is as wide on the outside as on the inside.
    edges = np.array([-np.inf, *middles, np.inf])
    first = 0
    for place, stretch in groupby(owner.get(label) for label in labels):
        last = first + len(list(stretch)) - 1
        if place is not None:
            inner = positions[known][[first, last]]
            low, high = edges[first], edges[last + 1]
            low = low if np.isfinite(low) else inner[0] - (edges[first + 1] - inner[0])
            high = high if np.isfinite(high) else inner[1] + (inner[1] - edges[last])
            if np.isfinite([low, high]).all():
                axes.axvspan(2**low, 2**high, color=GRID, alpha=0.5, linewidth=0, zorder=0)
                axes.annotate(
                    in_figure(place),
                    (2 ** ((low + high) / 2), 1),
                    (0, 2),
                    xycoords=axes.get_xaxis_transform(),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=8,
                    color=INK,
                )
        first = last + 1
    axes.set_title(axes.get_title(), pad=18)


def _in_words(places: Places) -> str:
    named = (f"{place} at {', '.join(sizes)}" for place, sizes in places.names.items())
    return f"Shaded are the model sizes that the claim names: {'; '.join(named)}."


def over_data_size(
    data: Mapping[str, xr.Dataset], threshold: float = THRESHOLD, part: str | None = None
) -> Drawing:
    """Final accuracy over data size, one line for each model size.

    A strip below shows the two data sizes between which each critical data size lies.
    """
    chart = []
    for view in views_of(data, part):
        final = settled(view.dataset, generalization_accuracy(view.dataset))
        positions = view.dataset["data_size"].to_numpy().astype(float)
        chart.append((view, lines_over(final, "data_size", "model_size", positions)))
    most = max(len(lines) for _, lines in chart)
    figure, axes, strips = panels_with_strips(len(chart), strip_height=0.35 + 0.16 * most)
    strokes = _draw(figure, axes, chart, MIRROR_FREE, legend="model size")
    for axis, strip, (view, _) in zip(axes, strips, chart, strict=True):
        axis.axhline(threshold, color=PALE, linewidth=1, linestyle=DASHES[2], zorder=1)
        show_data_sizes(strip, view.dataset)
        _draw_brackets(strip, critical_data_sizes(view.dataset, threshold), strokes)
    strips[0].set_ylabel("critical for\nmodel size")
    return Drawing(
        figure,
        title="Accuracy against data size",
        caption=f"{MIRROR_FREE} (on validation examples whose mirror is not in training) against "
        f"the number of training examples, one line for each model size. {WHAT_IS_DRAWN} {CUT} "
        "Below: the two tested data sizes between which each model size's critical data size "
        "lies. The critical data size is the smallest from which the median seed stays above "
        f"{threshold:g} (dotted line). An arrow marks one outside the tested range. "
        f"{_seeds(chart)}",
        alternative=_alternative(chart, f"{MIRROR_FREE} against data size", "model size {}"),
    )


def _draw(
    figure: Figure, axes: Sequence[Axes], chart: Chart, name: str, legend: str
) -> dict[str, Stroke]:
    """Draw the lines of every panel, equal labels in equal strokes, and one legend for all."""
    labels = dict.fromkeys(line.label for _, lines in chart for line in lines)
    strokes = dict(zip(labels, ordered(len(labels)), strict=True))
    handles = {}
    for axis, (view, lines) in zip(axes, chart, strict=True):
        axis.set_title(fill(in_figure(view.title), 80 // len(chart)))
        show_accuracy(axis)
        for line in lines:
            handles[line.label] = draw_line(
                axis, line, strokes[line.label], among=len(lines), within=ACCURACIES
            )
    axes[0].set_ylabel(name.lower())
    # More data, or a larger model, mostly ends higher: the legend has the order of the line ends.
    order = list(reversed(labels))
    figure.legend(
        [handles[n] for n in order],
        [*map(in_figure, order)],
        title=legend,
        loc="outside right upper",
    )
    return strokes


def _draw_brackets(axes: Axes, curve: xr.Dataset, strokes: Mapping[str, Stroke]) -> None:
    """One row for each model size: a bar from the largest data size below to the smallest above."""
    labels = [str(label) for label in curve["model_size"].to_numpy()]
    smallest, largest = axes.get_xlim()
    for row, label in enumerate(labels):
        stroke, size = strokes[label], curve.isel(model_size=row)
        low, high = float(size["low"]), float(size["high"])
        if np.isnan(low):
            continue  # no finished run of this size
        shown = [max(low, smallest), min(high, largest)]
        axes.plot(shown, [row, row], color=stroke.colour, linewidth=3, solid_capstyle="butt")
        if low == 0 or np.isinf(high):
            end, marker = (shown[0], "<") if low == 0 else (shown[1], ">")
            axes.plot(end, row, marker, color=stroke.colour, clip_on=False)
        else:
            axes.plot(float(size["estimate"]), row, stroke.marker, color=stroke.colour)
    axes.set(xlim=(smallest, largest), ylim=(-0.7, len(labels) - 0.3))
    axes.set_yticks(range(len(labels)), labels, fontsize=8)


def _seeds(chart: Chart) -> str:
    return f"{seeds_behind([line for _, lines in chart for line in lines])}.".capitalize()


def _alternative(chart: Chart, what: str, of_line: str) -> str:
    sentences = [
        " ".join(filter(None, [view.title, of_line.format(line.label)])) + f": {summary(line)}."
        for view, lines in chart
        for line in lines
    ]
    return " ".join([f"{what}.", *sentences])
