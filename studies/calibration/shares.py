"""Worlds in which the shares of the dynamics do not follow the two curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grokbench.testing.simulator import Grid, Runs
from grokbench.testing.simulator.layout import Floats

ENDS: Mapping[str, tuple[float, float]] = {
    "data size": (2000.0, 5000.0),
    "model size": (1e3, 1.5e5),
    "nothing": (1.0, 1.0),
}
"""Of what the shares depend on; the model size in parameters."""


@dataclass(frozen=True)
class DrawnByOne:
    """Each run draws its dynamic by itself, with shares that depend on one coordinate alone.

    Between the ends of the coordinate (on a logarithmic scale) the shares go from the first to the
    last. The order of the shares: `none`, progression, ungrokking, grokking.
    """

    coordinate: str
    """One of ENDS."""
    first: tuple[float, float, float, float]
    last: tuple[float, float, float, float]

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        low, high = np.log2(ENDS[self.coordinate])
        at = self._coordinate(grid)
        place = np.clip((np.log2(at) - low) / (high - low), 0, 1) if high > low else 0 * at
        shares = np.outer(1 - place, self.first) + np.outer(place, self.last)
        borders = np.cumsum(shares, axis=-1)[:, :3].reshape(*grid.shape[:2], 1, 3)
        drawn = (generator.random(grid.shape)[..., None] > borders).sum(axis=-1)
        memorizes = drawn >= 2
        generalizes = drawn % 2 == 1
        # A progression generalizes in part, before it memorizes; a grokking run fully, and after.
        return Runs(
            trained=np.where(memorizes, 1.0, 0.7),
            memorized=np.where(memorizes, 0.02, 0.3) * grid.steps,
            generalized=np.where(generalizes, np.where(memorizes, 1.0, 0.7), 0.01),
            at=np.where(memorizes, 0.5, 0.3) * grid.steps,
            norm=np.ones(grid.shape),
        )

    def _coordinate(self, grid: Grid) -> Floats:
        """In each cell, [cells], model sizes outermost."""
        if self.coordinate == "data size":
            return np.tile(grid.examples, len(grid.parameters))
        return np.repeat(grid.parameters.astype(float), len(grid.examples))
