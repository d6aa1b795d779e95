"""Tests pairs of cells by relabelling their seeds, and says what such tests can show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from grokbench.comparison.pairing import Pair
from grokbench.statistics.intervals import Floats
from grokbench.statistics.permutation import Unit, corrected, smallest_p, visible_gap


@dataclass(frozen=True, eq=False)
class Block:
    """Cells of one experiment with the same seeds in A and in B.

    They are relabelled together, because runs of one seed depend on each other across cells.
    """

    pairs: tuple[Pair, ...]
    unit: Unit


@dataclass(frozen=True, eq=False)
class PValues:
    """The p values of one pair's readings, in the order of `Pair.names`: [readings]."""

    alone: Floats
    """Of each reading by itself."""
    corrected: Floats
    """Corrected for all readings of all cells."""


@dataclass(frozen=True)
class Sensitivity:
    """What cells with these numbers of seeds can show at best."""

    first: int
    """The number of seeds of A."""
    second: int
    cells: int
    """How many compared cells have these numbers of seeds."""
    smallest_p: float
    """The smallest p value that relabelling can give, however far apart the groups lie."""
    visible_gap: float
    """How far apart the means of one more such cell would have to lie to be told apart among all
    these, in standard deviations within the groups; infinite where no gap is large enough."""


def blocks_of(pairs: Sequence[Pair]) -> list[Block]:
    """The pairs, grouped by experiment and seeds."""
    groups: dict[tuple[str, bytes, bytes], list[Pair]] = defaultdict(list)
    for pair in pairs:
        seeds = pair.first.seeds.tobytes(), pair.second.seeds.tobytes()
        groups[pair.experiment, *seeds].append(pair)
    return [Block(tuple(group), _unit(group)) for group in groups.values()]


def tested(blocks: Sequence[Block], level: float) -> Iterator[tuple[Pair, PValues]]:
    """The p values of every pair, corrected for all readings of all blocks."""
    after = corrected([block.unit for block in blocks], level)
    for block, after_correction in zip(blocks, after, strict=True):
        begin = 0
        for pair in block.pairs:
            end = begin + len(pair.names)
            yield pair, PValues(block.unit.p_values[begin:end], after_correction[begin:end])
            begin = end


def sensitivities(blocks: Sequence[Block], level: float) -> Iterator[Sensitivity]:
    """What the cells could have shown, for each combination of numbers of seeds.

    Call after `tested`, which takes the readings that differ out of the blocks' units: their
    relabellings would hide what the other readings can show.
    """
    units = [block.unit for block in blocks]
    counts = Counter(
        (len(pair.first.seeds), len(pair.second.seeds)) for block in blocks for pair in block.pairs
    )
    for (first, second), cells in sorted(counts.items()):
        gap = visible_gap(units, first, second, level)
        yield Sensitivity(first, second, cells, smallest_p(first, second), gap)


def _unit(group: Sequence[Pair]) -> Unit:
    """The readings of all cells side by side: a seed's runs move as one when relabelled."""
    values = [pair.values() for pair in group]
    return Unit(
        np.concatenate([first for first, _ in values], axis=1),
        np.concatenate([second for _, second in values], axis=1),
    )
