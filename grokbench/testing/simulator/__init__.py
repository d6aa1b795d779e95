"""Experiments that were never trained: datasets with a known truth, for testing detectors.

    from grokbench.testing.simulator import Circuits, Grid, simulate

    grid = Grid(model_sizes=(8, 16, 32, 64), data_sizes=(2600, 3000, 4000), seeds=11)
    dataset = simulate(Circuits(critical_slope=0.0), grid, seed=1)

simulates an experiment in which the critical data size does not depend on the model size. A law
says what becomes of each run, and its fields are the truth. `Flaws` hide the truth: noise,
slingshots, leaking mirrors, cells that were not run, seeds that crash. `dataset` describes runs one
by one, each by a `Story`; `Layout` takes whole curves. All datasets have the form in which the
store assembles trained runs, and the laws resemble the trained runs in results/quick-fixed.
"""

from grokbench.testing.simulator.changes import World, copied, null, shuffled, without_runs
from grokbench.testing.simulator.curves import FLAWLESS, Flaws, simulate
from grokbench.testing.simulator.grid import Grid
from grokbench.testing.simulator.laws import (
    Circuits,
    Delayed,
    Emerging,
    Goldilocks,
    Law,
    Levels,
    Memory,
    Runs,
    dip,
)
from grokbench.testing.simulator.layout import Curves, Layout, results_of
from grokbench.testing.simulator.stories import Story, Tell, dataset

__all__ = [
    "FLAWLESS",
    "Circuits",
    "Curves",
    "Delayed",
    "Emerging",
    "Flaws",
    "Goldilocks",
    "Grid",
    "Law",
    "Layout",
    "Levels",
    "Memory",
    "Runs",
    "Story",
    "Tell",
    "World",
    "copied",
    "dataset",
    "dip",
    "null",
    "results_of",
    "shuffled",
    "simulate",
    "without_runs",
]
