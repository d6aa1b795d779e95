"""Cell by cell: which readings of two results differ by more than their seeds explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.comparison.pairing import Overlap, Pair, paired
from grokbench.comparison.readings import Point, average
from grokbench.comparison.relabelling import PValues, Sensitivity, blocks_of, sensitivities, tested

LEVEL = 0.01
"""The probability of any false alarm, over all cells and readings of one comparison.

At 5 % seven honest repetitions of the quick suite gave 3 alarms in 21 pairs, at 1 % one
(docs/compare.md): an alarm in CI must mean something.
"""


@dataclass(frozen=True)
class Reading:
    """One reading in one cell that both results have."""

    experiment: str
    cell: Point
    measured: str
    part: str
    """The part of the task; "" where there is one part, and for readings of the whole model."""
    first: float
    """The mean over A's runs of accuracies; the median of norms, quantities and steps (infinite
    where most runs did not reach the level)."""
    second: float
    """The same for B."""
    seeds: tuple[int, int]
    """How many runs of A and of B have this reading."""
    p_value: float
    """Of this reading alone."""
    corrected: float
    """Corrected for all readings of all cells; 1 where there are too few seeds."""

    @property
    def place(self) -> str:
        """The cell in words: `model_size 16, data_size 500`."""
        return ", ".join(f"{name} {value}" for name, value in self.cell)


@dataclass(frozen=True)
class OneSided:
    """A reading that only one of the two has, in cells that both have: it is not compared."""

    experiment: str
    measured: str
    part: str
    side: str
    """The side that has the reading: "A" or "B"."""
    cells: int


@dataclass(frozen=True)
class CellComparison:
    """Everything that was compared, in the order of the experiments and cells."""

    overlap: Overlap
    readings: tuple[Reading, ...]
    seeds: tuple[Sensitivity, ...]
    """For each combination of numbers of seeds, what could have been seen."""
    level: float
    one_sided: tuple[OneSided, ...] = ()
    """What could not be compared."""

    @property
    def different(self) -> tuple[Reading, ...]:
        """The readings that differ by more than seeds explain, the smallest p value first."""
        told = [one for one in self.readings if one.corrected <= self.level]
        return tuple(sorted(told, key=lambda one: one.corrected))


def compare_cells(first: xr.DataTree, second: xr.DataTree, level: float = LEVEL) -> CellComparison:
    """Compare all cells of the experiments that two results both have.

    Args:
        first: A, as `open_results` gives it.
        second: B. Exchanging A and B changes nothing but the names.
        level: the probability of any false alarm, over the whole comparison.
    """
    overlap, pairs = paired(first, second)
    blocks = blocks_of(pairs)
    p_values = {(pair.experiment, pair.cell): found for pair, found in tested(blocks, level)}
    readings = tuple(
        reading
        for pair in pairs
        for reading in _readings(pair, p_values[pair.experiment, pair.cell])
    )
    found = Counter(
        (pair.experiment, name.measured, name.part, side)
        for pair in pairs
        for name, side in pair.one_sided.items()
    )
    one_sided = tuple(OneSided(*which, cells) for which, cells in found.items())
    return CellComparison(overlap, readings, tuple(sensitivities(blocks, level)), level, one_sided)


def _readings(pair: Pair, p_values: PValues) -> Iterator[Reading]:
    """Each reading that at least one run of A and one run of B have."""
    for name, alone, after in zip(pair.names, p_values.alone, p_values.corrected, strict=True):
        one, other = pair.first.readings[name], pair.second.readings[name]
        seeds = (int((~np.isnan(one)).sum()), int((~np.isnan(other)).sum()))
        if all(seeds):
            yield Reading(
                experiment=pair.experiment,
                cell=pair.cell,
                measured=name.measured,
                part=name.part,
                first=average(name, one),
                second=average(name, other),
                seeds=seeds,
                p_value=float(alone),
                corrected=float(after),
            )
