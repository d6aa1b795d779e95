"""How many random labels models of each size memorize."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.plain import in_figure
from grokbench.readout import capacities, settled
from grokbench.report.figures.views import views_of
from grokbench.report.lines import WHAT_IS_DRAWN, Line, draw_line, seeds_behind, summary
from grokbench.report.palette import ONE, PALE
from grokbench.report.scales import model_positions, show_model_sizes
from grokbench.report.svg import panels


def capacity_against_model_size(
    detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None
) -> Drawing:
    """Memorization capacity over model size (Huang et al. 2024, Fig. 4)."""
    views = [
        (view.title, view.dataset.isel(data_size=[index]))
        for view in views_of(data)
        for index in range(view.dataset.sizes["data_size"])
    ]
    figure, axes = panels(len(views))
    lines = []
    for axis, (title, dataset) in zip(axes, views, strict=True):
        examples = dataset["train_examples"].transpose("model_size", "data_size", "seed")
        held = settled(dataset, "train_accuracy").transpose(*examples.dims) * examples
        line = Line("memorization capacity", model_positions(dataset), held.to_numpy()[:, 0])
        lines.append(line)
        draw_line(axis, line, ONE)
        curve = capacities(dataset, detector.options.saturated_at)
        _mark_saturated(axis, model_positions(curve), curve)
        _show_limit(axis, float(examples.max()))
        axis.set_title(in_figure(title))
        axis.set_ylim(bottom=0)
        show_model_sizes(axis, dataset)
    axes[0].set_ylabel("memorization capacity (examples)")
    return Drawing(
        figure,
        title="Memorization capacity",
        caption="Memorization capacity against model size: the number of randomly labelled "
        f"training examples that a model answers correctly after training. {WHAT_IS_DRAWN} The "
        "dashed line is the number of training examples. Open symbols lie close to this line: "
        f"there the capacity is a lower bound. {seeds_behind(lines).capitalize()}.",
        alternative="Memorization capacity against model size: "
        + "; ".join(summary(line) for line in lines)
        + ".",
    )


def _mark_saturated(axes: Axes, positions: np.ndarray, curve: xr.Dataset) -> None:
    saturated = curve["saturated"].to_numpy()
    axes.plot(
        positions[saturated],
        curve["capacity"].to_numpy()[saturated],
        ONE.marker,
        markerfacecolor="white",
        markeredgecolor=ONE.colour,
        markeredgewidth=1.4,
    )


def _show_limit(axes: Axes, examples: float) -> None:
    if examples > 0:
        axes.axhline(examples, color=PALE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
