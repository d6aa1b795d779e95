"""Figures: which one belongs to which detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from grokbench.report.figures.capacity import capacity_against_model_size
from grokbench.report.figures.emergence import emergence
from grokbench.report.figures.sizes import against_data_size, against_model_size
from grokbench.report.figures.training import training_curves
from grokbench.report.figures.zones import map_of_zones
from grokbench.report.svg import Drawing

Draw = Callable[[Mapping[str, xr.Dataset], Mapping[str, Any]], Drawing]


@dataclass(frozen=True)
class Sort:
    """How the claims of one detector are drawn.

    Claims that differ only in where they look along `spans`, or in the options `ignores`, are
    drawn as one figure.
    """

    draw: Draw
    spans: tuple[str, ...] = ("model_size", "data_size")
    ignores: tuple[str, ...] = ()


def dynamics(data: Mapping[str, xr.Dataset], options: Mapping[str, Any]) -> Drawing:
    """The map of zones; of a single cell, its training curves."""
    return (map_of_zones if _cells(data) > 1 else training_curves)(data, options)


def overview(data: Mapping[str, xr.Dataset], _: Mapping[str, Any]) -> Drawing:
    """For a detector that has no figure: accuracy over what was varied, sizes before steps."""
    if _longest(data, "model_size") > 1:
        return against_model_size(data, {})
    if _longest(data, "data_size") > 1:
        return against_data_size(data, {})
    return training_curves(data, {})


def _longest(data: Mapping[str, xr.Dataset], dimension: str) -> int:
    return max(dataset.sizes[dimension] for dataset in data.values())


def _cells(data: Mapping[str, xr.Dataset]) -> int:
    return _longest(data, "model_size") * _longest(data, "data_size")


OVERVIEW = Sort(overview)

SORTS: Mapping[str, Sort] = {
    "critical_data_size": Sort(against_data_size),
    "crossing": Sort(map_of_zones, ignores=("coordinate", "relative_to")),
    "deeper_double_descent": Sort(against_model_size, spans=("model_size",)),
    "double_descent": Sort(against_model_size),
    "dynamics": Sort(dynamics, ignores=("expected",)),
    "emergence": Sort(emergence, spans=("model_size",)),
    "memorization_capacity": Sort(capacity_against_model_size, spans=("model_size",)),
    "norm_change": Sort(training_curves, ignores=("dynamics", "nearly_final")),
    "zone_prediction": Sort(map_of_zones),
}
