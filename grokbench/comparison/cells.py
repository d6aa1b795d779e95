"""Cell by cell: which readings of two results differ by more than their seeds explain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from grokbench.comparison.readings import (
    Name,
    Point,
    Runs,
    cells_of,
    comparable,
    fixed_fields,
    typical,
)
from grokbench.record import Record, Status
from grokbench.statistics.permutation import Floats, Unit, corrected, smallest_p, visible_gap
from grokbench.store import records_in

LEVEL = 0.01
"""The chance of a false alarm, in all cells and readings together: it would be raised in CI."""


@dataclass(frozen=True)
class Reading:
    """One thing that was measured in one cell of both results."""

    experiment: str
    cell: Point
    measured: str
    part: str
    """The part of the task; "" where there is one alone, or where it belongs to none."""
    first: float
    """The mean over A's runs (of accuracies), or the median (of norms and steps; infinite where
    most did not get there)."""
    second: float
    seeds: tuple[int, int]
    """How many runs of A and of B have this reading."""
    p_value: float
    """Of this reading alone."""
    corrected: float
    """The same, corrected for all readings of all cells; 1 where there are too few seeds."""

    @property
    def place(self) -> str:
        """The cell in words: `model_size 16, data_size 500`."""
        return ", ".join(f"{name} {value}" for name, value in self.cell)


@dataclass(frozen=True)
class Seeds:
    """What so many seeds against so many can show at best."""

    first: int
    second: int
    cells: int
    """In how many cells there are so many."""
    smallest_p: float
    """No test by relabelling can give less, however far apart the groups lie."""
    visible_gap: float
    """In one more such cell, how many standard deviations apart the means would have to be in order
    to be told apart among all these; infinite where no gap is enough."""


@dataclass(frozen=True)
class Overlap:
    """What A and B have in common, and what only one of them has."""

    cells: int = 0
    """Cells in which both have runs."""
    identical_cells: int = 0
    """Those of them whose runs are the same, bit by bit."""
    only_first: Mapping[str, int] = field(default_factory=dict)
    """Experiment → cells in which A alone has runs."""
    only_second: Mapping[str, int] = field(default_factory=dict)
    shared_runs: int = 0
    """Runs of one identity that both have."""
    identical_runs: int = 0
    """Those of them that are the same, bit by bit."""
    shared_seeds: int = 0
    """Cells with a seed that A and B have in common."""


@dataclass(frozen=True)
class CellComparison:
    """Everything that was compared, in the order of the experiments and cells."""

    overlap: Overlap
    readings: tuple[Reading, ...]
    seeds: tuple[Seeds, ...]
    level: float

    @property
    def different(self) -> tuple[Reading, ...]:
        """The readings that differ by more than seeds explain; the surest first."""
        told = [one for one in self.readings if one.corrected <= self.level]
        return tuple(sorted(told, key=lambda one: one.corrected))


@dataclass(frozen=True, eq=False)
class Pair:
    """One cell that both have."""

    experiment: str
    cell: Point
    first: Runs
    second: Runs

    @property
    def seeds(self) -> tuple[str, bytes, bytes]:
        """What cells must agree in to be relabelled together: a seed's runs move as one."""
        return self.experiment, self.first.seeds.tobytes(), self.second.seeds.tobytes()

    @property
    def names(self) -> list[Name]:
        return [name for name in self.first.readings if name in self.second.readings]

    def values(self, side: Runs) -> Floats:
        """[runs, readings] of A or of B, as they are compared."""
        last = min(self.first.last_step, self.second.last_step)
        columns = [comparable(name, side.readings[name], last) for name in self.names]
        return np.stack(columns, axis=1)


def compare_cells(first: xr.DataTree, second: xr.DataTree, level: float = LEVEL) -> CellComparison:
    """Compare all cells of the experiments that two results both have.

    Args:
        first: A, as `open_results` gives it.
        second: B; which is which changes nothing but the names.
        level: the chance of a false alarm, in all of it together.
    """
    one, other = grids(first, second)
    pairs = [
        Pair(name, cell, runs, other[name][cell])
        for name, cells in one.items()
        for cell, runs in cells.items()
        if cell in other[name]
    ]
    before, after = records_in(first), records_in(second)
    same = {run for run in before.keys() & after.keys() if identical(before[run], after[run])}
    news = [pair for pair in pairs if not is_same(pair, same)]
    trained = [
        {run for run, record in of.items() if record.status is not Status.FAILED}
        for of in (before, after)
    ]
    overlap = Overlap(
        cells=len(pairs),
        identical_cells=len(pairs) - len(news),
        only_first=lonely(one, other),
        only_second=lonely(other, one),
        shared_runs=len(trained[0] & trained[1]),
        identical_runs=len(trained[0] & trained[1] & same),
        shared_seeds=sum(bool(np.intersect1d(p.first.seeds, p.second.seeds).size) for p in news),
    )
    blocks: dict[tuple[str, bytes, bytes], list[Pair]] = defaultdict(list)
    for pair in news:
        blocks[pair.seeds].append(pair)
    units = [
        Unit(
            np.concatenate([pair.values(pair.first) for pair in block], axis=1),
            np.concatenate([pair.values(pair.second) for pair in block], axis=1),
        )
        for block in blocks.values()
    ]
    p_values = corrected(units, level)
    found = {
        id(pair): part
        for block, unit, after_correction in zip(blocks.values(), units, p_values, strict=True)
        for pair, part in shares(block, unit.p_values, after_correction)
    }
    readings = tuple(
        reading for pair in news for reading in readings_of_pair(pair, *found[id(pair)])
    )
    return CellComparison(overlap, readings, tuple(sights(news, units, level)), level)


Grid = dict[str, dict[Point, Runs]]
"""Experiment → its cells."""


def grids(first: xr.DataTree, second: xr.DataTree) -> tuple[Grid, Grid]:
    """The cells of every experiment of A and of B, with the same dimensions in both.

    A recipe field that one of them sweeps and the other does not is a dimension of both.
    """
    found: tuple[Grid, Grid] = ({}, {})
    trees = (first, second)
    for name in dict.fromkeys([*first.children, *second.children]):
        datasets = [tree[name].to_dataset() if name in tree.children else None for tree in trees]
        everything = {axis for data in datasets if data is not None for axis in swept(data)}
        for grid, data in zip(found, datasets, strict=True):
            lacking = set() if data is None else everything - swept(data)
            fixed = {} if data is None else fixed_fields(data, lacking)
            grid[name] = {} if data is None else cells_of(data, fixed)
    return found


def swept(data: xr.Dataset) -> set[str]:
    """The dimensions of a grid."""
    return {str(name) for name in data["status"].dims}


def identical(first: Record, second: Record) -> bool:
    """Whether two records of one run are the same, bit by bit."""
    return (
        first.status == second.status
        and first.parts == second.parts
        and first.parameters == second.parameters
        and first.examples == second.examples
        and np.array_equal(first.steps, second.steps)
        and first.curves.keys() == second.curves.keys()
        and all(
            curve.tobytes() == second.curves[name].tobytes() for name, curve in first.curves.items()
        )
    )


def is_same(pair: Pair, same: set[str]) -> bool:
    """Whether the cell has the same runs in A and in B, and each is the same bit by bit."""
    return set(pair.first.run_ids) == set(pair.second.run_ids) <= same


def lonely(one: Grid, other: Grid) -> dict[str, int]:
    """For each experiment, the number of cells that the other results do not have."""
    counts = {name: len(cells.keys() - other[name].keys()) for name, cells in one.items()}
    return {name: count for name, count in counts.items() if count}


def shares(block: Sequence[Pair], *p_values: Floats) -> Iterator[tuple[Pair, tuple[Floats, ...]]]:
    """What of a unit's p values belongs to each of its cells."""
    begin = 0
    for pair in block:
        end = begin + len(pair.names)
        yield pair, tuple(values[begin:end] for values in p_values)
        begin = end


def readings_of_pair(pair: Pair, p_values: Floats, after: Floats) -> Iterator[Reading]:
    """Each reading that some run of A and some run of B have."""
    for name, p_value, p_corrected in zip(pair.names, p_values, after, strict=True):
        one, other = pair.first.readings[name], pair.second.readings[name]
        seeds = (int((~np.isnan(one)).sum()), int((~np.isnan(other)).sum()))
        if all(seeds):
            yield Reading(
                experiment=pair.experiment,
                cell=pair.cell,
                measured=name[0],
                part=name[1],
                first=typical(name, one),
                second=typical(name, other),
                seeds=seeds,
                p_value=float(p_value),
                corrected=float(p_corrected),
            )


def sights(pairs: Sequence[Pair], units: Sequence[Unit], level: float) -> Iterator[Seeds]:
    """What the cells could have shown, for each number of seeds that there is."""
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for pair in pairs:
        counts[len(pair.first.seeds), len(pair.second.seeds)] += 1
    for (first, second), cells in sorted(counts.items()):
        gap = visible_gap(units, first, second, level)
        yield Seeds(first, second, cells, smallest_p(first, second), gap)
