"""Axes for model sizes, data sizes, steps and accuracies, with ticks at the values that were run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from grokbench.statistics.intervals import Floats

ROOM = 1 / 16
"""The share of an axis that the label of one tick needs."""

ACCURACIES = (0.0, 1.0)
"""The range of an accuracy."""


def model_positions(dataset: xr.Dataset) -> Floats:
    """The position of each model size on a logarithmic axis: hidden size, or parameters.

    NaN where the number of parameters is needed and no run of that size was trained yet.
    """
    if by_hidden_size(dataset):
        return dataset["model_size"].to_numpy().astype(float)
    parameters = dataset["parameters"].to_numpy().astype(float)
    return np.where(parameters > 0, parameters, np.nan)


def by_hidden_size(dataset: xr.Dataset) -> bool:
    """Whether model sizes are numbers, hidden sizes, rather than labels such as `8x1024`."""
    return dataset["model_size"].dtype.kind in "iuf"


def show_model_sizes(axes: Axes, dataset: xr.Dataset) -> None:
    """A horizontal axis of model sizes, for positions from `model_positions`."""
    positions = model_positions(dataset)
    known = np.unique(positions[~np.isnan(positions)])
    axes.set_xlabel("model size (hidden size)" if by_hidden_size(dataset) else "parameters")
    axes.set_xscale("log", base=2)
    mark(axes.xaxis, known, np.log2(known))


def show_data_sizes(axes: Axes, dataset: xr.Dataset) -> None:
    """A horizontal axis of data sizes: evenly scaled, or logarithmic where they span a decade."""
    tried = np.unique(dataset["data_size"].to_numpy().astype(float))
    wide = bool(tried.max() > 10 * tried.min())
    axes.set_xlabel("training examples")
    axes.set_xscale("log" if wide else "linear")
    mark(axes.xaxis, tried, np.log2(tried) if wide else tried)


def mark(axis: Axis, tried: Floats, places: Floats) -> None:
    """Ticks at the values that were run, with labels on as many of them as there is room for.

    `places` are the values' positions along the axis, up to a linear map.
    """
    labelled = tried[_with_room(places)].tolist()
    # Every value keeps a tick: a minor one, without a label, where there is no room.
    axis.set_major_locator(FixedLocator(labelled))
    axis.set_minor_locator(FixedLocator(np.setdiff1d(tried, labelled).tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def _with_room(places: Floats) -> list[int]:
    """The indices of places that are far enough apart; the last place is always one of them."""
    if not places.size:
        return []
    gap = ROOM * (places.max() - places.min())
    # From the last place down, so that the last one always has a label.
    chosen = [len(places) - 1]
    for index in range(len(places) - 2, -1, -1):
        if places[chosen[-1]] - places[index] >= gap:
            chosen.append(index)
    return chosen[::-1]


def amount(value: float) -> str:
    """`64`, `3000`, `12.8k`, `1.3M`: four digits at most."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * factor or (value >= factor and unit != "k"):
            return f"{value / factor:.3g}{unit}"
    return f"{value:.4g}"


def show_steps(axes: Axes, last: float) -> None:
    """A horizontal axis of steps: logarithmic, with step 0."""
    # Linear up to step 1 and logarithmic beyond: a logarithmic axis has no 0.
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set_xlim(0, last * 1.06)
    decades = [0.0, *(10.0**k for k in range(round(np.ceil(np.log10(last + 1)))))]
    axes.xaxis.set_major_locator(FixedLocator(decades))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.set_xlabel("step")


def show_accuracy(axes: Axes) -> None:
    """A vertical axis of accuracies, with room for the markers at both ends."""
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks(np.linspace(*ACCURACIES, 6))
