"""The panels of a figure: each shows one role's dataset at one value of each swept field."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from grokbench.readout import canonical, of_part

DRAWN = ("model_size", "data_size", "seed", "step")
"""The dimensions inside a panel. Each value of any other dimension gets its own panel."""


@dataclass(frozen=True, eq=False)
class View:
    """One panel's title, and its dataset: only the dimensions DRAWN, in their natural order."""

    title: str
    dataset: xr.Dataset


def views_of(data: Mapping[str, xr.Dataset], part: str | None = None) -> list[View]:
    """One view for each role and each combination of swept values.

    The title names what distinguishes the views; it is empty where there is only one.
    """
    views = []
    for role, dataset in data.items():
        one_part = canonical(of_part(dataset, part))
        swept = [str(name) for name in one_part.dims if name not in DRAWN]
        for index in itertools.product(*(range(one_part.sizes[name]) for name in swept)):
            at = dict(zip(swept, index, strict=True))
            words = [
                f"{name.replace('_', ' ')} {one_part[name].to_numpy()[position]}"
                for name, position in at.items()
                if one_part.sizes[name] > 1
            ]
            if len(data) > 1:
                words.insert(0, name_of(dataset, role))
            views.append(View(", ".join(words), one_part.isel(at, drop=True)))
    return views


def name_of(dataset: xr.Dataset, role: str) -> str:
    """The experiment's title, or its role where it has no title."""
    return str(dataset.attrs.get("title") or role)
