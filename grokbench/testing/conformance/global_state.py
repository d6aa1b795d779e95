"""What all code in a process shares, and a definition must not change: generators and switches."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from grokbench.switches import RANDOM, SWITCHES, Switch, comparable, put, read

__all__ = ["RANDOM", "SWITCHES", "changed", "disturb", "kept"]

SEEDING: Mapping[str, Callable[[int], object]] = {
    "torch's random state": torch.manual_seed,
    "numpy's random state": np.random.seed,
    "Python's random state": random.seed,
}


@contextmanager
def kept() -> Iterator[None]:
    """Restore the global state at the end."""
    before = read(SWITCHES)
    try:
        yield
    finally:
        put(SWITCHES, before)


def changed(act: Callable[[], object], switches: Mapping[str, Switch] = SWITCHES) -> list[str]:
    """The names of the global state that `act` changes."""
    before = {name: comparable(value) for name, value in read(switches).items()}
    act()
    return [name for name, value in read(switches).items() if comparable(value) != before[name]]


def disturb(seed: int, generators: Sequence[str] = tuple(RANDOM)) -> None:
    """Put global random generators into another state."""
    for name in generators:
        SEEDING[name](seed)
