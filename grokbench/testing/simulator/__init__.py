"""Experiments that were never trained: datasets whose truth is known, for testing detectors.

    from grokbench.testing.simulator import Circuits, Grid, simulate

    grid = Grid(model_sizes=(8, 16, 32, 64), data_sizes=(2600, 3000, 4000), seeds=11)
    dataset = simulate(Circuits(critical_slope=0.0), grid, seed=1)

draws one in which the critical data size does not depend on model size. A law says what becomes of
each run, and its fields are the truth; `Flaws` are what hides it: noise, slingshots, mirrors that
leak, cells never run, seeds that crash. The datasets are in the form in which the store assembles
real ones, and what runs do resembles the trained ones in results/quick.
"""

from grokbench.testing.simulator.curves import FLAWLESS, Flaws, simulate
from grokbench.testing.simulator.grid import Grid
from grokbench.testing.simulator.laws import (
    Circuits,
    Emerging,
    Law,
    Levels,
    Memory,
    Runs,
    dip,
)

__all__ = [
    "FLAWLESS",
    "Circuits",
    "Emerging",
    "Flaws",
    "Grid",
    "Law",
    "Levels",
    "Memory",
    "Runs",
    "dip",
    "simulate",
]
