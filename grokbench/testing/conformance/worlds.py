"""The simulated experiments that the kit shows to a detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import xarray as xr

from grokbench.record import Run
from grokbench.testing.simulator import (
    FLAWLESS,
    Delayed,
    Goldilocks,
    Grid,
    Story,
    World,
    copied,
    dataset,
    simulate,
)

LINE = (400,)
"""One data size."""


def grokking(run: Run, noise: np.random.Generator) -> Story:
    """A run generalizes late if it has enough data; a larger model needs less."""
    needed = 300 * np.sqrt(32 / run.size.hidden_size) * np.exp(0.25 * noise.standard_normal())
    if run.data_size < needed:
        low = float(np.clip(0.04 + 0.02 * noise.standard_normal(), 0, 0.09))
        return Story(generalized=low, norm=float(np.exp(0.1 * noise.standard_normal())))
    ratio = float(0.75 * np.exp(0.1 * noise.standard_normal()))
    return Story(generalized=1.0, at=float(1000 + 300 * noise.random()), norm=ratio)


def dipping(run: Run, noise: np.random.Generator) -> Story:
    """Final accuracy rises, falls and rises again along model size."""
    place = np.log2(run.size.hidden_size)
    accuracy = np.interp(place, [2, 4, 6, 8], [0.2, 0.8, 0.4, 0.95])
    final = float(np.clip(accuracy + 0.05 * noise.standard_normal(), 0, 1))
    return Story(generalized=final, norm=float(np.exp(0.1 * noise.standard_normal())))


def memorizing(run: Run, noise: np.random.Generator) -> Story:
    """Random labels: a larger model memorizes a larger share of them."""
    held = 0.05 * run.size.hidden_size**0.6 * np.exp(0.1 * noise.standard_normal())
    return Story(trained=float(min(1.0, held)), memorized=1500, generalized=None)


def candidates(roles: Sequence[str]) -> Iterator[World]:
    """Worlds in which a detector with these roles may find something: every mix of `shapes`.

    Then every mix of `lines`, for detectors that look at one cell, or along a field of the recipe.
    """
    for kind in (shapes, lines):
        for chosen in product(*(kind(salt) for salt in range(len(roles)))):
            yield copied(dict(zip(roles, chosen, strict=True)))


@cache
def shapes(salt: int) -> tuple[xr.Dataset, ...]:
    """The experiments that one role may have."""
    return (
        dataset(grokking, salt=salt),
        dataset(grokking, data_sizes=LINE, salt=salt),
        dataset(dipping, data_sizes=LINE, salt=salt),
        dataset(memorizing, data_sizes=LINE, salt=salt),
    )


@cache
def lines(salt: int) -> tuple[xr.Dataset, ...]:
    """Experiments of one model size and one data size: one cell, and cells along a field of the recipe."""
    cell = Grid((64,), LINE, 8, modulus=31, steps=2000, evaluate_every=25)
    scales = replace(cell, swept=(("initial_scale", (0.1, 0.3, 1.0, 3.0, 10.0)),))
    decays = replace(cell, swept=(("weight_decay", (0.5, 1.0, 2.0)),))
    delayed = Delayed(4.0, memorized=150)
    law = replace(delayed, slope=-1.0, field="weight_decay")
    return tuple(
        simulate(one, grid, salt, FLAWLESS)
        for one, grid in ((delayed, cell), (Goldilocks(), scales), (law, decays))
    )


def oddities(roles: Sequence[str]) -> dict[str, World]:
    """Worlds of a shape that a suite may have and that a detector's author may not think of."""
    odd = {
        "a task in two parts": dataset(grokking, parts=("addition", "subtraction")),
        "a swept learning rate": dataset(grokking, data_sizes=LINE, learning_rates=(1e-3, 3e-3)),
        "sizes of several layers": dataset(
            grokking, sizes=(32, 64, "2x64", "4x64"), data_sizes=LINE
        ),
        "a single run": dataset(grokking, sizes=(64,), data_sizes=LINE, seeds=1),
    }
    return {name: dict.fromkeys(roles, one) for name, one in odd.items()}
