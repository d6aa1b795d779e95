"""Global settings and random states of a process: they are read, and put back.

No library is imported for this. A library that is not imported has no settings to read.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Switch:
    """A setting or random state that a library keeps for the whole process.

    Attributes:
        library: the library. `read`, `put` and `fresh` are given its module.
        read: gives the value.
        put: sets a value that `read` gave.
        fresh: gives the value right after the library's import; None if that value varies.
    """

    library: str
    read: Callable[[Any], Any]
    put: Callable[[Any, Any], object]
    fresh: Callable[[Any], Any] | None = None


def _set_environment(_: Any, variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


RANDOM = {
    "torch's random state": Switch(
        "torch",
        lambda torch: torch.get_rng_state(),
        lambda torch, state: torch.set_rng_state(state),
    ),
    # The generators that a plugin's `np.random.rand()` and `random.random()` draw from.
    "numpy's random state": Switch(
        "numpy",
        lambda numpy: numpy.random.get_state(),
        lambda numpy, state: numpy.random.set_state(state),
    ),
    "Python's random state": Switch(
        "random", lambda random: random.getstate(), lambda random, state: random.setstate(state)
    ),
}

SETTINGS = {
    "torch's default dtype": Switch(
        "torch",
        lambda torch: torch.get_default_dtype(),
        lambda torch, found: torch.set_default_dtype(found),
        lambda torch: torch.float32,
    ),
    "torch's default device": Switch(
        "torch",
        lambda torch: torch.get_default_device(),
        lambda torch, found: torch.set_default_device(found),
        lambda torch: torch.device("cpu"),
    ),
    "torch's number of threads": Switch(
        "torch",
        lambda torch: torch.get_num_threads(),
        lambda torch, found: torch.set_num_threads(found),
    ),
    "whether torch records gradients": Switch(
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, found: torch.set_grad_enabled(found),
        lambda torch: True,
    ),
    "torch's deterministic algorithms": Switch(
        "torch",
        lambda torch: torch.are_deterministic_algorithms_enabled(),
        lambda torch, found: torch.use_deterministic_algorithms(found),
        lambda torch: False,
    ),
    "numpy's handling of errors": Switch(
        "numpy", lambda numpy: numpy.geterr(), lambda numpy, found: numpy.seterr(**found)
    ),
    "the working folder": Switch("os", lambda os: os.getcwd(), lambda os, found: os.chdir(found)),
}

ENVIRONMENT = {
    "the environment": Switch("os", lambda os: dict(os.environ), _set_environment),
}

SWITCHES = {**RANDOM, **SETTINGS, **ENVIRONMENT}

LOADING = {**RANDOM, **SETTINGS}
"""What importing a plugin must not change. Environment variables are not among them, because some
libraries set variables when they are imported."""

COMPUTING = (
    "CUBLAS_",
    "CUDA_",
    "GROKBENCH_",
    "KMP_",
    "MKL_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "PYTORCH_",
    "TORCH_",
)
"""Prefixes of environment variables that can change how numbers are computed."""


@contextmanager
def put_back(switches: Mapping[str, Switch] = LOADING) -> Iterator[None]:
    """Undo all changes that are made within to these switches."""
    before = read(switches)
    try:
        yield
    finally:
        put(switches, before)


def put(switches: Mapping[str, Switch], before: Mapping[str, Any]) -> None:
    """Set the switches that differ from `before`. New libraries get their fresh values."""
    for name, value in read(switches).items():
        switch = switches[name]
        library = sys.modules[switch.library]
        if name in before:
            wanted = before[name]
        elif switch.fresh is not None:
            wanted = switch.fresh(library)
        else:
            continue
        if comparable(value) != comparable(wanted):
            switch.put(library, wanted)


def read(switches: Mapping[str, Switch]) -> dict[str, Any]:
    """The values of the switches whose library is imported."""
    found = {}
    for name, switch in switches.items():
        if switch.library in sys.modules:
            # A library that is being imported lacks functions; the working folder may be gone.
            with suppress(AttributeError, OSError):
                found[name] = switch.read(sys.modules[switch.library])
    return found


def comparable(value: Any) -> Any:
    """The value in a form that `==` compares as a whole."""
    if hasattr(value, "numpy"):
        return value.numpy().tobytes()
    if hasattr(value, "tobytes"):
        return value.tobytes()
    return tuple(map(comparable, value)) if isinstance(value, tuple) else value


def process_state() -> dict[str, Any]:
    """The values of all that importing a plugin must not change, by name."""
    found = {name: comparable(value) for name, value in read(LOADING).items()}
    # Libraries may add filters for their own warnings, so only filters for all warnings count.
    found["the filters of warnings"] = [
        (action, category.__name__)
        for action, message, category, module, _ in warnings.filters
        if message is None and module is None and category is Warning
    ]
    for name, value in os.environ.items():
        if name.startswith(COMPUTING):
            found[f"{name} in the environment"] = value
    return found


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of the values that changed. A switch of a library that is new is no change."""
    return [
        name
        for name in {**before, **after}
        if before.get(name) != after.get(name) and (name in before or name not in LOADING)
    ]
