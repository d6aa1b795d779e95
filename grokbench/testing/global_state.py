"""What a process shares: random generators and switches that a definition must leave alone."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

Switch = tuple[Callable[[], Any], Callable[[Any], Any]]
"""How it is read, and how it is set."""


def _set_environment(variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


RANDOM: dict[str, Switch] = {
    "torch's random state": (torch.get_rng_state, torch.set_rng_state),
    # The generators that a plugin's `np.random.rand()` and `random.random()` draw from.
    "numpy's random state": (np.random.get_state, np.random.set_state),
    "Python's random state": (random.getstate, random.setstate),
}

SWITCHES: dict[str, Switch] = {
    **RANDOM,
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": (torch.get_default_device, torch.set_default_device),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "whether torch records gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "numpy's handling of errors": (np.geterr, lambda found: np.seterr(**found)),
    "the working folder": (os.getcwd, os.chdir),
    "the environment": (lambda: dict(os.environ), _set_environment),
}


def read(switches: dict[str, Switch]) -> dict[str, Any]:
    return {name: get() for name, (get, _) in switches.items()}


@contextmanager
def kept() -> Iterator[None]:
    """Whatever is changed within, is afterwards as before."""
    before = read(SWITCHES)
    try:
        yield
    finally:
        for name, (get, put) in SWITCHES.items():
            if spelled(get()) != spelled(before[name]):
                put(before[name])


def changed(act: Callable[[], object], switches: dict[str, Switch] = SWITCHES) -> list[str]:
    """What of the global state `act` changes, by name."""
    before = {name: spelled(value) for name, value in read(switches).items()}
    act()
    return [name for name, value in read(switches).items() if spelled(value) != before[name]]


def spelled(value: Any) -> Any:
    """As something that `==` compares whole."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return tuple(map(spelled, value)) if isinstance(value, tuple) else value


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
