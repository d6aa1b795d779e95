"""The zone map: which dynamics the runs of each model size and data size showed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.phenomena.crossing import Crossing
from grokbench.plain import in_figure
from grokbench.readout import Dynamic, classify, log2_parameters
from grokbench.report.figures.measured_curves import (
    CAPACITY,
    CRITICAL,
    MeasuredCurve,
    capacity_curve,
    critical_curve,
)
from grokbench.report.figures.views import views_of
from grokbench.report.palette import DASHES, FILLS, INK, PALE
from grokbench.report.scales import mark, model_positions, show_model_sizes
from grokbench.report.svg import panels
from grokbench.statistics.intervals import Floats
from grokbench.theory.predicted_shares import OUTCOMES, predictor, zone_of
from grokbench.theory.zones import ZoneOptions, zones

CROSSING = "crossing of the curves"
MISSING = "no finished run"

_HALO = (Stroke(linewidth=4, foreground="white"), Normal())
_LINE = {"color": INK, "markeredgecolor": "white", "path_effects": _HALO, "zorder": 5}
_TRIANGLE: dict[str, Any] = {"color": INK, "markeredgecolor": "white"}
_LOOKS: dict[str, dict[str, Any]] = {
    CAPACITY: {**_LINE, "marker": "o", "linestyle": DASHES[0]},
    CRITICAL: {**_LINE, "marker": "D", "linestyle": DASHES[1]},
}
_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 17,
    "color": "white",
    "markeredgecolor": INK,
    "linestyle": "none",
    "zorder": 6,
}


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel: the dynamics of each cell's runs, [model_size, data_size, runs] of `Dynamic`."""

    title: str
    dataset: xr.Dataset
    dynamics: npt.NDArray[np.int8]
    curves: tuple[MeasuredCurve, ...]
    star: tuple[float, float] | None = None
    """Position and number of examples at which the curves cross, as `crossing` finds them."""
    mix: Mapping[Dynamic, Floats] | None = None
    """The share of each dynamic in each cell, [model_size, data_size]; by default that of the runs
    in `dynamics`."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the two curves predict for each cell."""

    zones: npt.NDArray[np.int8]
    """Values of `Dynamic`, [model_size, data_size]."""
    mix: Mapping[Dynamic, Floats] | None = None
    """The predicted shares, [model_size, data_size]; by default each cell is wholly its zone."""


Predict = Callable[[xr.Dataset, xr.Dataset, xr.Dataset, ZoneOptions], Predicted]
"""From the experiment on random labels, the critical experiment and the target."""


def map_of_zones(detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None) -> Drawing:
    """The observed dynamics over model size and data size (compare Huang et al. 2024, Fig. 1).

    With a role `memorization`, the capacity curve is drawn too, and a second panel shows the
    dynamics that the two curves predict.
    """
    method = "The prediction for a cell uses only the other model sizes."
    return _drawing(detector, data, _likeliest, method)


def shares_of_zones(
    detector: Detector, data: Mapping[str, xr.Dataset], _: Finding | None
) -> Drawing:
    """The observed dynamics beside the shares of the dynamics that the two curves predict."""
    method = (
        "In the predicted map, strips are as wide as the predicted shares; semi-grokking is there a "
        "mixture of runs that grok and runs that do not. A cell that has runs in common with the "
        "experiment of the critical curve is predicted without its own runs."
    )
    return _drawing(detector, data, _shares, method)


def _likeliest(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: ZoneOptions
) -> Predicted:
    return Predicted(zones(memorization, critical, target, options)["zone"].to_numpy())


def _shares(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: ZoneOptions
) -> Predicted:
    source = predictor(memorization, critical, target, options)
    theory = source.shares().theory
    shape = source.target.dynamics.shape[:2]
    known = np.isfinite(log2_parameters(source.target.data))[:, None]
    found = np.where(known, zone_of(theory, options).reshape(shape), int(Dynamic.UNKNOWN))
    of_outcome = {
        dynamic: np.where(known, theory[:, index].reshape(shape), 0.0)
        for index, dynamic in enumerate(OUTCOMES)
    }
    mix = {dynamic: of_outcome[dynamic] for dynamic in FILLS if dynamic in of_outcome}
    return Predicted(found.astype(np.int8), mix)


def _drawing(
    detector: Detector, data: Mapping[str, xr.Dataset], predict: Predict, method: str
) -> Drawing:
    # The detectors drawn as a map have the options of `ZoneOptions`, or some of them.
    given = dict(detector.options)
    asked = ZoneOptions(**{name: given[name] for name in ZoneOptions.model_fields if name in given})
    maps = _maps(data, asked, predict)
    figure, axes = panels(len(maps), width=9.4, height=5)
    for axis, one in zip(axes, maps, strict=True):
        _draw(axis, one)
    axes[0].set_ylabel("training examples")
    handles = _legend(axes, missing=any((one.dynamics < 0).any() for one in maps))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return Drawing(figure, "Zone map", _caption(maps, method), _alternative(maps))


def shares(dynamics: npt.NDArray[np.int8]) -> dict[Dynamic, Floats]:
    """For each dynamic, the share of each cell's runs that showed it: [model_size, data_size].

    Runs that did not finish count in the denominator and show no dynamic.
    """
    return {dynamic: (dynamics == int(dynamic)).mean(axis=-1) for dynamic in FILLS}


def _maps(data: Mapping[str, xr.Dataset], asked: ZoneOptions, predict: Predict) -> list[Panel]:
    options = asked.model_copy(update={"part": None})
    target = next(data[role] for role in ("target", "critical", "experiment") if role in data)
    maps = []
    for view in views_of({"target": target}, asked.part):
        critical = data.get("critical", target)
        critical = view.dataset if critical is target else critical
        curve = critical_curve(critical, options.generalized_at)
        runs = classify(view.dataset, options)["dynamic"]
        dynamics = runs.transpose("model_size", "data_size", "seed").to_numpy()
        shown = Panel(view.title, view.dataset, dynamics, (curve,))
        if "memorization" not in data:
            maps.append(shown)
            continue
        memorization = data["memorization"]
        of_view = f"{view.title}: " if view.title else ""
        shown = replace(
            shown,
            title=f"{of_view}observed",
            curves=(capacity_curve(memorization), curve),
            star=_star(memorization, critical, view.dataset, options),
        )
        predicted = predict(memorization, critical, view.dataset, options)
        title = f"{of_view}predicted"
        cells = predicted.zones[..., None]
        maps += [shown, replace(shown, title=title, dynamics=cells, mix=predicted.mix)]
    return maps


def _star(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, asked: ZoneOptions
) -> tuple[float, float] | None:
    """Where the curves cross; None where they cross outside the model sizes of the map."""
    options = {
        name: getattr(asked, name) for name in Crossing.Options.model_fields if hasattr(asked, name)
    }
    try:
        found = Crossing(Crossing.Options(**options)).find(
            {"memorization": memorization, "critical": critical}
        )
    except NotEnoughDataError:
        return None
    # The curves cross at a number of parameters, but the axis may show hidden sizes: interpolate
    # between the model sizes, on logarithmic scales as the axis has them.
    sizes, positions = log2_parameters(target), model_positions(target)
    known = np.flatnonzero(~np.isnan(sizes) & ~np.isnan(positions))
    known = known[np.argsort(sizes[known])]
    at = np.interp(
        np.log2(found.details["parameters"]),
        sizes[known],
        np.log2(positions[known]),
        left=np.nan,
        right=np.nan,
    )
    return None if np.isnan(at) else (float(np.exp2(at)), float(found.details["data_size"]))


def _draw(axes: Axes, one: Panel) -> None:
    data_sizes = one.dataset["data_size"].to_numpy().astype(float)
    columns, rows = _edges(np.log2(model_positions(one.dataset))), _edges(np.log2(data_sizes))
    axes.grid(visible=False)
    axes.set_title(in_figure(one.title))
    show_model_sizes(axes, one.dataset)
    axes.set_yscale("log", base=2)
    mark(axes.yaxis, data_sizes, np.log2(data_sizes))
    of_dynamic = shares(one.dynamics) if one.mix is None else one.mix
    for i, j in np.ndindex(len(columns), len(rows)):
        if not np.isnan(columns[i]).any():
            mix = {dynamic: float(share[i, j]) for dynamic, share in of_dynamic.items()}
            _draw_cell(axes, columns[i], rows[j], mix)
    axes.set_xlim(*np.exp2([np.nanmin(columns), np.nanmax(columns)]))
    axes.set_ylim(*np.exp2([rows.min(), rows.max()]))
    for curve in one.curves:
        _draw_curve(axes, curve)
    if one.star is not None:
        axes.plot(*one.star, label=CROSSING, **_STAR)


def _draw_cell(axes: Axes, column: Floats, row: Floats, mix: Mapping[Dynamic, float]) -> None:
    """Strips from left to right, as wide as the shares of runs; unfinished runs leave a blank."""
    left, right = column
    strips = {dynamic: share for dynamic, share in mix.items() if share > 0}
    start = left
    for dynamic, share in strips.items():
        end = start + share * (right - left)
        strip = _rectangle(start, end, *row)
        strip.set(**_fill(dynamic), label=dynamic.label)
        axes.add_patch(strip)
        start = end
    frame = _rectangle(left, right, *row)
    frame.set(facecolor="none", edgecolor="white", linewidth=1.5)
    axes.add_patch(frame)
    if not strips:
        middle = np.exp2([column.mean(), row.mean()])
        axes.plot(*middle, marker="x", color=PALE, linestyle="none", label=MISSING)


def _fill(dynamic: Dynamic) -> dict[str, Any]:
    fill = FILLS[dynamic]
    return {"facecolor": fill.colour, "hatch": fill.hatch, "edgecolor": fill.lines, "linewidth": 0}


def _rectangle(left: float, right: float, bottom: float, top: float) -> Rectangle:
    """A rectangle whose sides are given as log2 of their positions."""
    x, y = np.exp2([left, right]), np.exp2([bottom, top])
    return Rectangle((x[0], y[0]), x[1] - x[0], y[1] - y[0])


def _draw_curve(axes: Axes, curve: MeasuredCurve) -> None:
    """The curve with its bars; where only a bound is known, a triangle at the edge of the map."""
    known = np.isfinite(curve.values)
    axes.plot(curve.positions[known], curve.values[known], label=curve.label, **_LOOKS[curve.label])
    bars = known & (curve.low > 0) & np.isfinite(curve.high)
    axes.vlines(curve.positions[bars], curve.low[bars], curve.high[bars], INK, zorder=4)
    # A bound has no value to draw: its triangle stands just inside the edge of the map.
    bottom, top = np.log2(axes.get_ylim())
    for points, share, marker in ((np.isinf(curve.high), 0.97, "^"), (curve.low == 0, 0.03, "v")):
        height = np.exp2(bottom + share * (top - bottom))
        where = curve.positions[points]
        axes.plot(where, np.full(len(where), height), marker, zorder=5, **_TRIANGLE)


def _edges(centres: Floats) -> Floats:
    """Where each cell begins and ends, halfway to its neighbours: [cells, 2]; NaN where unknown.

    The outermost cells extend as far outwards as inwards; a single cell is one octave wide.
    """
    edges = np.full((len(centres), 2), np.nan)
    known = np.flatnonzero(~np.isnan(centres))
    order = known[np.argsort(centres[known])]
    middles = (centres[order][1:] + centres[order][:-1]) / 2
    if len(order) == 1:
        edges[order] = centres[order, None] + [-0.5, 0.5]
    elif len(order):
        first, last = 2 * centres[order[0]] - middles[0], 2 * centres[order[-1]] - middles[-1]
        edges[order] = np.stack([[first, *middles], [*middles, last]], axis=1)
    return edges


def _legend(axes: Sequence[Axes], *, missing: bool) -> list[Artist]:
    """Everything on the panels once: first the dynamics, then the curves."""
    drawn = {
        str(artist.get_label()): artist for axis in axes for artist in (*axis.patches, *axis.lines)
    }
    areas: list[Artist] = [
        Patch(**_fill(dynamic), label=dynamic.label) for dynamic in FILLS if dynamic.label in drawn
    ]
    if missing:
        areas.append(Patch(facecolor="none", edgecolor=PALE, linestyle=":", label=MISSING))
    return areas + [drawn[name] for name in (CAPACITY, CRITICAL, CROSSING) if name in drawn]


def _caption(maps: Sequence[Panel], method: str) -> str:
    """What is drawn; `method` says how cells are predicted, if they are."""
    first = maps[0]
    budget = int(first.dataset["step"].max())
    seeds = first.dataset.sizes["seed"]
    curves = {curve.label for one in maps for curve in one.curves}
    measured = " and ".join(name for name in (CAPACITY, CRITICAL) if name in curves)
    return (
        f"The dynamics of the runs within {budget} steps. A cell is one model size and one number "
        f"of training examples. Strips are as wide as the shares of the cell's {seeds} seeds; runs "
        f"that did not finish leave a blank. Drawn over the map: {measured}, with bars for the "
        "interval over seeds, or for the two tested data sizes around the critical one. A triangle "
        "at the edge points to a critical data size outside the tested range."
        + (f" {method}" if CAPACITY in curves else "")
    )


def _alternative(maps: Sequence[Panel]) -> str:
    sentences = []
    for one in maps:
        known = one.dynamics[one.dynamics >= 0]
        counts = [f"{(known == int(d)).sum()} {d.label}" for d in FILLS if (known == int(d)).any()]
        title = one.title or "observed"
        sentences.append(f"Dynamics, {title}: {', '.join(counts) or 'none finished'}.")
    return " ".join(["A map of dynamics over model size and data size.", *sentences])
