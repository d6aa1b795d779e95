"""What a process shares: random generators and switches that a definition must leave alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from grokbench.switches import RANDOM, SWITCHES, Switch, comparable, put, read

__all__ = ["RANDOM", "SWITCHES", "changed", "disturb", "kept"]


@contextmanager
def kept() -> Iterator[None]:
    """Whatever is changed within, is afterwards as before."""
    before = read(SWITCHES)
    try:
        yield
    finally:
        put(SWITCHES, before)


def changed(act: Callable[[], object], switches: Mapping[str, Switch] = SWITCHES) -> list[str]:
    """What of the global state `act` changes, by name."""
    before = {name: comparable(value) for name, value in read(switches).items()}
    act()
    return [name for name, value in read(switches).items() if comparable(value) != before[name]]


def disturb(seed: int, generators: tuple[str, ...] = tuple(RANDOM)) -> None:
    """Put the global random generators into some other state."""
    for name in generators:
        match name:
            case "torch's random state":
                torch.manual_seed(seed)
            case "numpy's random state":
                np.random.seed(seed)  # noqa: NPY002
            case "Python's random state":
                random.seed(seed)
