"""An ability in two experiments: at how many parameters it emerges, and how they differ at one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from grokbench.labels import text_of
from grokbench.phenomena.accuracy_gap import final_accuracies
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


def accuracy_gap(detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None) -> Drawing:
    """Final accuracy of two experiments at the model sizes that both have.

    Raises:
        NotEnoughDataError: no model size in common; more than one data size or value of a swept field.
    """
    accuracies = dict(zip(STROKES, final_accuracies(data, detector.options), strict=True))
    sizes = [text_of(label) for label in accuracies["reference"]["model_size"].to_numpy().tolist()]
    places = np.arange(len(sizes), dtype=float)
    lines = {
        role: Line(
            name_of(data[role], role), places, values.transpose("model_size", "seed").to_numpy()
        )
        for role, values in accuracies.items()
    }
    reference, shifted = lines["reference"].mean, lines["shifted"].mean
    figure, (axes,) = panels(1)
    # The gap at each size, behind the lines.
    axes.vlines(places, shifted, reference, color=PALE, linewidth=7, alpha=0.5, zorder=0)
    means = [
        draw_line(axes, line, STROKES[role], within=ACCURACIES) for role, line in lines.items()
    ]
    show_accuracy(axes)
    axes.set(
        xlabel="model size", ylabel="final mirror-free accuracy", xlim=(-0.5, len(sizes) - 0.5)
    )
    axes.set_xticks(places, sizes)
    figure.legend(handles=means, loc="outside upper left")
    return Drawing(
        figure,
        title="Two experiments at the same model sizes",
        caption="Final mirror-free accuracy of two experiments at the model sizes that both have. "
        f"{WHAT_IS_DRAWN} {CUT} Wide grey bars are the differences between the means, which the claim "
        f"averages. {seeds_behind(list(lines.values())).capitalize()}.",
        alternative="Final accuracy of two experiments. "
        + " ".join(
            f"At size {size}: {one:.2f} and {other:.2f}."
            for size, one, other in zip(sizes, reference, shifted, strict=True)
        ),
    )


def _line(dataset: xr.Dataset, role: str, part: str | None) -> Line:
    data = single_curve(of_part(canonical(dataset), part), "model_size", "seed")
    final = settled(data, generalization_accuracy(data)).transpose("model_size", "seed")
    parameters = data["parameters"].to_numpy().astype(float)
    positions = np.where(parameters > 0, parameters, np.nan)
    return Line(name_of(dataset, role), positions, final.to_numpy())
