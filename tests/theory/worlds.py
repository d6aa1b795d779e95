"""Experiments whose runs follow the theory of Huang et al. 2024, Fig. 1."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.theory.mirrors import Pairs
from tests.phenomena.worlds import (
    Run,
    grokking,
    memorizing,
    memorizing_random_labels,
    progression,
    semi_grokking,
    world,
)

SIZES = (4, 8, 16, 32, 64, 128)
DATA_SIZES = (200, 300, 400, 500, 600, 700, 800)
PAIRS = 961


def capacity(size: int) -> float:
    return 27.0 * size


def critical(size: int) -> float:
    return 650.0 - 60 * np.log2(size / 8)


def right(size: int) -> float:
    """Accuracy on random labels of a model that holds `capacity(size)` ordered pairs.

    Two mirrored pairs have one label to remember. The labels that the model does not know, it guesses.
    """
    pairs = Pairs(31)
    held = float(pairs.labels(np.array(min(capacity(size), PAIRS))) / pairs.labels(np.array(PAIRS)))
    return held + (1 - held) / 31


MEMORIZATION = world(
    lambda size, *_: memorizing_random_labels(right(size)),
    sizes=SIZES,
    data_sizes=(PAIRS,),
)


def by_theory(size: int, data_size: int, seed: int) -> Run:
    if data_size > capacity(size):
        return progression()
    if data_size >= critical(size):
        return grokking()
    return semi_grokking() if data_size >= 0.7 * critical(size) else memorizing()


def target(runs) -> xr.Dataset:
    return world(runs, sizes=SIZES, data_sizes=DATA_SIZES)
