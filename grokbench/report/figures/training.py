"""Training curves: one run of each dynamic, with its accuracies and its parameter norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.plain import in_figure
from grokbench.readout import Dynamic, Thresholds, classify
from grokbench.report.figures.views import View, views_of
from grokbench.report.palette import BLUE, DASHES, FILLS, INK, PALE, VERMILLION
from grokbench.report.scales import amount, show_accuracy, show_steps

ACCURACIES: Mapping[str, dict[str, Any]] = {
    "train_accuracy": {"label": "training", "color": INK, "linestyle": DASHES[1]},
    "validation_accuracy": {"label": "validation", "color": BLUE, "linestyle": DASHES[0]},
    "mirror_free_accuracy": {
        "label": "validation, mirror-free",
        "color": VERMILLION,
        "linestyle": DASHES[2],
    },
}

STEPS: Mapping[str, dict[str, Any]] = {
    "memorized": {"color": PALE, "linewidth": 1, "linestyle": ":"},
    "generalized": {"color": PALE, "linewidth": 1, "linestyle": "-"},
}


@dataclass(frozen=True, eq=False)
class Example:
    """A run that shows a dynamic, and the other runs of its cell that show it."""

    dynamic: Dynamic
    words: str
    """Which run it is, in words."""
    curves: xr.Dataset
    """The run's dataset, along `step`."""
    others: xr.Dataset
    """Every run of the same cell that shows the same dynamic, along `seed` and `step`."""
    memorized_step: float
    generalized_step: float


def training_curves(
    detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None
) -> Drawing:
    """One run of each dynamic, by the detector's thresholds."""
    return one_of_each_dynamic(data, detector.options)


def one_of_each_dynamic(data: Mapping[str, xr.Dataset], thresholds: Thresholds) -> Drawing:
    """One run of each dynamic from beginning to end (Huang et al. 2024, Fig. 2 and 9).

    Raises:
        NotEnoughDataError: no finished run has validation examples.
    """
    views = views_of(data, thresholds.part)
    examples = _examples(views, thresholds.model_copy(update={"part": None}))
    if not examples:
        raise NotEnoughDataError("no finished run has validation examples")
    figure = Figure((max(8.6, 2.35 * len(examples)), 5), layout="constrained")
    grid = figure.subplots(
        2, len(examples), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2)
    )
    for column, example in zip(grid.T, examples, strict=True):
        _draw_accuracies(column[0], example)
        _draw_norm(column[1], example)
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("parameter norm")
    grid[1, 0].set_ylim(bottom=0)
    accuracies = grid[0, 0].get_lines()[: len(ACCURACIES)]
    steps = [Line2D([], [], label=word, **look) for word, look in STEPS.items()]
    figure.legend(handles=[*accuracies, *steps], loc="outside lower center", ncols=5)
    return Drawing(
        figure,
        title="Training curves",
        caption="One run of each dynamic. Above: accuracy on training examples, on validation "
        "examples, and on validation examples whose mirror is not in training. Below: the L2 norm "
        "of all parameters, with the cell's other runs of the same dynamic in grey. Vertical lines "
        "mark the steps from which the run has memorized and has generalized. The run is the first "
        "seed of the cell in which the dynamic is most frequent.",
        alternative=" ".join(_sentence(example) for example in examples),
    )


def _examples(views: Sequence[View], thresholds: Thresholds) -> list[Example]:
    """For each dynamic that occurs, the first run of the cell in which it is most frequent."""
    labelled = [(view, classify(view.dataset, thresholds)) for view in views]
    examples = []
    for dynamic in FILLS:
        found = max(
            (_most_typical(view, runs, dynamic) for view, runs in labelled),
            key=lambda example: 0 if example is None else example.others.sizes["seed"],
        )
        if found is not None:
            examples.append(found)
    return examples


def _most_typical(view: View, runs: xr.Dataset, dynamic: Dynamic) -> Example | None:
    shown = (runs["dynamic"] == int(dynamic)).transpose("model_size", "data_size", "seed")
    counts = shown.sum("seed").to_numpy()
    if not counts.any():
        return None
    size, data_size = np.unravel_index(counts.argmax(), counts.shape)
    cell = {"model_size": int(size), "data_size": int(data_size)}
    seeds = np.flatnonzero(shown.isel(cell).to_numpy())
    run, curves = runs.isel({**cell, "seed": seeds[0]}), view.dataset.isel(cell)
    first = curves.isel(seed=seeds[0])
    words = [
        f"size {first['model_size'].item()}",
        f"{first['data_size'].item()} examples",
        f"seed {first['seed'].item()}",
    ]
    return Example(
        dynamic,
        ", ".join([*([view.title] if view.title else []), *words]),
        first,
        curves.isel(seed=seeds),
        float(run["memorized_step"]),
        float(run["generalized_step"]),
    )


def _draw_accuracies(axes: Axes, example: Example) -> None:
    for metric, look in ACCURACIES.items():
        axes.plot(*_evaluated(example.curves, metric), linewidth=1.6, **look)
    axes.set_title(f"{example.dynamic.label}\n", pad=4)
    words = in_figure(example.words)
    axes.annotate(
        words.replace(", seed", ",\nseed") if len(words) > 30 else words,
        (0, 1),
        xytext=(0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        color=INK,
    )
    show_accuracy(axes)
    _mark_steps(axes, example)


def _draw_norm(axes: Axes, example: Example) -> None:
    for seed in range(example.others.sizes["seed"]):
        curve = _evaluated(example.others.isel(seed=seed), "parameter_norm")
        axes.plot(*curve, color=PALE, linewidth=0.8, alpha=0.6)
    axes.plot(*_evaluated(example.curves, "parameter_norm"), color=INK, linewidth=1.6)
    show_steps(axes, float(example.curves["step"].max()))
    _mark_steps(axes, example)


def _mark_steps(axes: Axes, example: Example) -> None:
    for word, step in (
        ("memorized", example.memorized_step),
        ("generalized", example.generalized_step),
    ):
        if not np.isnan(step):
            axes.axvline(step, zorder=1, **STEPS[word])


def _evaluated(curves: xr.Dataset, name: str) -> tuple[Any, Any]:
    """The steps at which the curve was evaluated, and its values there."""
    values = curves[name].to_numpy()
    return curves["step"].to_numpy()[~np.isnan(values)], values[~np.isnan(values)]


def _sentence(example: Example) -> str:
    def when(step: float, word: str) -> str:
        return f"{word} at step {step:.0f}" if not np.isnan(step) else f"never {word}"

    _, validation = _evaluated(example.curves, "validation_accuracy")
    _, norm = _evaluated(example.curves, "parameter_norm")
    return (
        f"{example.dynamic.label.capitalize()} ({example.words}): "
        f"{when(example.memorized_step, 'memorized')}, "
        f"{when(example.generalized_step, 'generalized')}; validation accuracy ends at "
        f"{validation[-1]:.2f}; the parameter norm starts at {amount(norm[0])}, has its maximum at "
        f"{amount(norm.max())} and ends at {amount(norm[-1])}."
    )
