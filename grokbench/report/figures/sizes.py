"""Final accuracy over model size, a line for each data size; and the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grokbench.phenomena import critical_data_sizes
from grokbench.phenomena.critical_data_size import THRESHOLD
from grokbench.phenomena.curves import generalization_accuracy, settled
from grokbench.report.drawing import Drawing, panels
from grokbench.report.figures.views import View, views_of
from grokbench.report.lines import (
    WHAT_IS_DRAWN,
    Line,
    draw_line,
    lines_over,
    seeds_behind,
    summary,
)
from grokbench.report.palette import INK, PALE, Stroke, ordered
from grokbench.report.scales import (
    model_positions,
    show_accuracy,
    show_data_sizes,
    show_model_sizes,
)

PLAIN = "Final validation accuracy"
MIRROR_FREE = "Final mirror-free accuracy"

Chart = list[tuple[View, list[Line]]]
"""What is on each panel."""


def against_model_size(data: Mapping[str, xr.Dataset], options: Mapping[str, Any]) -> Drawing:
    """Final accuracy over model size, one line for each data size (Huang et al. 2024, Fig. 6)."""
    metric = str(options.get("metric", "validation_accuracy"))
    name = MIRROR_FREE if metric == "mirror_free_accuracy" else PLAIN
    chart = []
    for view in views_of(data, options.get("part")):
        final = settled(view.dataset, metric)
        positions = model_positions(view.dataset)
        chart.append((view, lines_over(final, "model_size", "data_size", positions)))
    figure, axes, _ = _draw(chart, name, legend="training examples")
    for axis, (view, _) in zip(axes, chart, strict=True):
        show_model_sizes(axis, view.dataset)
    return Drawing(
        figure,
        title="Accuracy against model size",
        caption=f"{name} against model size, one line for each number of training examples. "
        f"{WHAT_IS_DRAWN} {_seeds(chart)}",
        alternative=_alternative(chart, f"{name} against model size", "{} training examples"),
    )


def against_data_size(data: Mapping[str, xr.Dataset], options: Mapping[str, Any]) -> Drawing:
    """Final accuracy over data size, one line for each model size (Huang et al. 2024, Fig. 3)."""
    threshold = float(options.get("threshold", THRESHOLD))
    chart = []
    for view in views_of(data, options.get("part")):
        final = settled(view.dataset, generalization_accuracy(view.dataset))
        positions = view.dataset["data_size"].to_numpy().astype(float)
        chart.append((view, lines_over(final, "data_size", "model_size", positions)))
    figure, axes, strokes = _draw(chart, MIRROR_FREE, legend="model size")
    for axis, (view, _) in zip(axes, chart, strict=True):
        show_data_sizes(axis, view.dataset)
        _show_critical_sizes(axis, view.dataset, threshold, strokes)
    return Drawing(
        figure,
        title="Accuracy against data size",
        caption=f"{MIRROR_FREE} (on validation examples whose mirror is not in training) against "
        f"the number of training examples, one line for each model size. {WHAT_IS_DRAWN} "
        f"Large symbols on the line at {threshold:g} are critical data sizes: the smallest from "
        "which the median seed stays above the line, between two sizes tried. "
        f"{_seeds(chart)}",
        alternative=_alternative(chart, f"{MIRROR_FREE} against data size", "model size {}"),
    )


def _draw(chart: Chart, name: str, legend: str) -> tuple[Figure, list[Axes], dict[str, Stroke]]:
    """The lines of every panel, in strokes that mean the same in each, and one legend for all."""
    labels = dict.fromkeys(line.label for _, lines in chart for line in lines)
    strokes = dict(zip(labels, ordered(len(labels)), strict=True))
    figure, axes = panels(len(chart))
    handles = {}
    for axis, (view, lines) in zip(axes, chart, strict=True):
        axis.set_title(view.title)
        show_accuracy(axis)
        for line in lines:
            handles[line.label] = draw_line(axis, line, strokes[line.label])
    axes[0].set_ylabel(name.lower())
    # The last of an order ends highest where more helps, and stands highest in the legend.
    order = list(reversed(labels))
    figure.legend([handles[n] for n in order], order, title=legend, loc="outside right upper")
    return figure, axes, strokes


def _show_critical_sizes(
    axes: Axes, dataset: xr.Dataset, threshold: float, strokes: Mapping[str, Stroke]
) -> None:
    axes.axhline(threshold, color=PALE, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    curve = critical_data_sizes(dataset, threshold)
    for label, estimate in zip(curve["model_size"].values, curve["estimate"].values, strict=True):
        stroke = strokes[str(label)]
        axes.plot(
            [estimate],
            [threshold],
            stroke.marker,
            color=stroke.colour,
            markersize=9,
            markeredgecolor=INK,
            markeredgewidth=1,
            zorder=4,
        )


def _seeds(chart: Chart) -> str:
    return f"{seeds_behind([line for _, lines in chart for line in lines])}.".capitalize()


def _alternative(chart: Chart, what: str, of_line: str) -> str:
    sentences = [
        " ".join(filter(None, [view.title, of_line.format(line.label)])) + f": {summary(line)}."
        for view, lines in chart
        for line in lines
    ]
    return " ".join([f"{what}.", *sentences])
