"""Which cells two results both have, and which of these hold the same runs bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from grokbench.comparison.readings import (
    FINISHED,
    Point,
    ReadingName,
    Runs,
    cells_of,
    fixed_fields,
    on_one_scale,
)
from grokbench.record import Record, Status
from grokbench.statistics.intervals import Floats
from grokbench.store import records_in

Grid = dict[str, dict[Point, Runs]]
"""Experiment → its cells."""


@dataclass(frozen=True)
class Overlap:
    """What A and B have in common, and what only one of them has."""

    cells: int = 0
    """Cells in which both have runs."""
    identical_cells: int = 0
    """Of these, the cells whose runs are the same bit by bit."""
    only_first: Mapping[str, int] = field(default_factory=dict)
    """Experiment → the number of cells in which only A has runs."""
    only_second: Mapping[str, int] = field(default_factory=dict)
    """Experiment → the number of cells in which only B has runs."""
    shared_runs: int = 0
    """Runs, by their identity, that both have."""
    identical_runs: int = 0
    """Of these, the runs that are the same bit by bit."""
    shared_seeds: int = 0
    """Compared cells in which A and B have a seed in common."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One cell that both have."""

    experiment: str
    cell: Point
    first: Runs
    second: Runs

    @property
    def names(self) -> list[ReadingName]:
        """The readings that at least one run of each side has.

        A reading without any value on one side can show nothing, and would weaken the correction of
        all others.
        """
        return [name for name in self.first.readings if all(self.has(name))]

    def has(self, name: ReadingName) -> tuple[bool, bool]:
        """Whether any run of A and any run of B has a reading."""
        first, second = (
            bool((~np.isnan(side.readings[name])).any()) if name in side.readings else False
            for side in (self.first, self.second)
        )
        return first, second

    @property
    def one_sided(self) -> dict[ReadingName, str]:
        """The readings that only one side has, each with that side: "A" or "B".

        Where no run of a side has finished, that side has no reading, and `finished` says so.
        """
        if not all((side.readings[FINISHED] > 0).any() for side in (self.first, self.second)):
            return {}
        names = dict.fromkeys([*self.first.readings, *self.second.readings])
        sides = {(True, False): "A", (False, True): "B"}
        return {name: sides[self.has(name)] for name in names if self.has(name) in sides}

    def values(self) -> tuple[Floats, Floats]:
        """[runs, readings] of A and of B, on the scale on which they are compared."""
        last = min(self.first.last_step, self.second.last_step)
        columns = [
            on_one_scale(name, self.first.readings[name], self.second.readings[name], last)
            for name in self.names
        ]
        first, second = zip(*columns, strict=True)
        return np.stack(first, axis=1), np.stack(second, axis=1)


def paired(first: xr.DataTree, second: xr.DataTree) -> tuple[Overlap, list[Pair]]:
    """What A and B have in common, and the cells that are to be compared.

    Cells whose runs are the same bit by bit are counted and not compared.
    """
    one, other = grids(first, second)
    pairs = [
        Pair(name, cell, runs, other[name][cell])
        for name, cells in one.items()
        for cell, runs in cells.items()
        if cell in other[name]
    ]
    records = records_in(first), records_in(second)
    shared = records[0].keys() & records[1].keys()
    same = {run for run in shared if identical(records[0][run], records[1][run])}
    trained = {
        run for run in shared if all(side[run].status is not Status.FAILED for side in records)
    }
    compared = [pair for pair in pairs if not _is_same(pair, same)]
    overlap = Overlap(
        cells=len(pairs),
        identical_cells=len(pairs) - len(compared),
        only_first=_cells_lacking(one, other),
        only_second=_cells_lacking(other, one),
        shared_runs=len(trained),
        identical_runs=len(trained & same),
        shared_seeds=sum(
            bool(np.intersect1d(pair.first.seeds, pair.second.seeds).size) for pair in compared
        ),
    )
    return overlap, compared


def grids(first: xr.DataTree, second: xr.DataTree) -> tuple[Grid, Grid]:
    """The cells of every experiment of A and of B, with the same dimensions in both.

    A recipe field that only one of them sweeps is a dimension of both.
    """
    found: tuple[Grid, Grid] = ({}, {})
    trees = (first, second)
    for name in dict.fromkeys([*first.children, *second.children]):
        datasets = [tree[name].to_dataset() if name in tree.children else None for tree in trees]
        everything = {axis for data in datasets if data is not None for axis in _dimensions(data)}
        for grid, data in zip(found, datasets, strict=True):
            if data is None:
                grid[name] = {}
            else:
                grid[name] = cells_of(data, fixed_fields(data, everything - _dimensions(data)))
    return found


def identical(first: Record, second: Record) -> bool:
    """Whether two records of one run are the same bit by bit, measured quantities included."""
    return (
        first.status == second.status
        and first.parts == second.parts
        and first.parameters == second.parameters
        and first.examples == second.examples
        and np.array_equal(first.steps, second.steps)
        and _same_bits(first.curves, second.curves)
        and _same_bits(first.measured, second.measured)
    )


Curves = Mapping[str, np.ndarray]


def _same_bits(first: Curves, second: Curves) -> bool:
    # Bytes rather than values: two NaNs are equal here, and 0.0 and -0.0 are not.
    return first.keys() == second.keys() and all(
        curve.tobytes() == second[name].tobytes() for name, curve in first.items()
    )


def _is_same(pair: Pair, same: set[str]) -> bool:
    """Whether A and B have the same runs in a cell, and each run is among `same`."""
    return set(pair.first.run_ids) == set(pair.second.run_ids) <= same


def _cells_lacking(one: Grid, other: Grid) -> dict[str, int]:
    """For each experiment of `one`, the number of cells that `other` does not have."""
    counts = {name: len(cells.keys() - other[name].keys()) for name, cells in one.items()}
    return {name: count for name, count in counts.items() if count}


def _dimensions(data: xr.Dataset) -> set[str]:
    return {str(name) for name in data["status"].dims}
