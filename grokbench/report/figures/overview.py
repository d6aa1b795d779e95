"""Figures that are chosen by what was varied."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.readout import Thresholds
from grokbench.report.figures.sizes import over_data_size, over_model_size
from grokbench.report.figures.training import one_of_each_dynamic, training_curves
from grokbench.report.figures.zones import map_of_zones


def overview(data: Mapping[str, xr.Dataset]) -> Drawing:
    """For a detector that brings no figure: final accuracy over model sizes, or over data sizes.

    Of a single cell, its training curves.
    """
    if _longest(data, "model_size") > 1:
        return over_model_size(data)
    if _longest(data, "data_size") > 1:
        return over_data_size(data)
    return one_of_each_dynamic(data, Thresholds())


def zones_or_curves(
    detector: Detector, data: Mapping[str, xr.Dataset], finding: Finding | None
) -> Drawing:
    """For `dynamics`: the zone map; of a single cell, its training curves."""
    cells = _longest(data, "model_size") * _longest(data, "data_size")
    return (map_of_zones if cells > 1 else training_curves)(detector, data, finding)


def _longest(data: Mapping[str, xr.Dataset], dimension: str) -> int:
    return max(dataset.sizes[dimension] for dataset in data.values())
