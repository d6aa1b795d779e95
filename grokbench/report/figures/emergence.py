"""At how many parameters an ability emerges, in two experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.phenomena.emergence import EmergenceOptions
from grokbench.readout import canonical, generalization_accuracy, of_part, settled, single_curve
from grokbench.report.figures.views import name_of
from grokbench.report.lines import CUT, WHAT_IS_DRAWN, Line, draw_line, seeds_behind, summary
from grokbench.report.palette import INK, ONE, OTHER, PALE
from grokbench.report.scales import ACCURACIES, mark, show_accuracy
from grokbench.report.svg import panels

STROKES = {"reference": ONE, "shifted": OTHER}
BEST: dict[str, Any] = {"linestyle": (0, (1, 1.5)), "linewidth": 1.3}


def emergence(detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None) -> Drawing:
    """Final accuracy of one part over parameters, in two experiments (Huang et al. 2024, Fig. 8).

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field.
    """
    asked: EmergenceOptions = detector.options
    parts = {"reference": asked.reference_part, "shifted": asked.shifted_part}
    lines = {role: _line(data[role], role, part) for role, part in parts.items()}
    figure, (axes,) = panels(1)
    means = [
        draw_line(axes, line, STROKES[role], within=ACCURACIES) for role, line in lines.items()
    ]
    for role, line in lines.items():
        axes.plot(line.positions, line.best, color=STROKES[role].colour, **BEST)
    axes.axhline(asked.threshold, color=PALE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    show_accuracy(axes)
    axes.set(xscale="log", xlabel="parameters", ylabel="final mirror-free accuracy")
    tried = np.unique(np.concatenate([line.positions for line in lines.values()]))
    tried = tried[~np.isnan(tried)]
    mark(axes.xaxis, tried, np.log2(tried))
    best = Line2D([], [], color=INK, label="best seed of each size", **BEST)
    figure.legend(handles=[*means, best], loc="outside upper left")
    return Drawing(
        figure,
        title="Emergence with model size",
        caption="Final mirror-free accuracy against the number of parameters, in two experiments. "
        f"{WHAT_IS_DRAWN} {CUT} Dotted lines follow the best seed of each size. The ability has emerged "
        f"where accuracy reaches the dashed line at {asked.threshold:g}. "
        f"{seeds_behind(list(lines.values())).capitalize()}.",
        alternative="Final accuracy against parameters. "
        + " ".join(f"{line.label}: {summary(line)}." for line in lines.values()),
    )


def _line(dataset: xr.Dataset, role: str, part: str | None) -> Line:
    data = single_curve(of_part(canonical(dataset), part), "model_size", "seed")
    final = settled(data, generalization_accuracy(data)).transpose("model_size", "seed")
    parameters = data["parameters"].to_numpy().astype(float)
    positions = np.where(parameters > 0, parameters, np.nan)
    return Line(name_of(dataset, role), positions, final.to_numpy())
