"""What all code in a process shares and may change for everybody: read, and put back.

Nothing is imported for it: of a library that nobody has imported yet there is nothing to read.
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
    """Something that a library keeps for the whole process.

    Attributes:
        library: whose it is; `read` and `put` are given its module.
        read: how it stands.
        put: sets it to what `read` gave.
        fresh: how it stands when the library has just been imported; None where that differs.
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
"""What importing a plugin must leave alone. Some libraries set variables of the environment for
themselves, so not those."""


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
"""How the environment's variables begin that say how numbers are computed."""


@contextmanager
def put_back() -> Iterator[None]:
    """Whatever is done within to the switches of `LOADING`, they are afterwards as before."""
    before = read(LOADING)
    try:
        yield
    finally:
        put(LOADING, before)


def put(switches: Mapping[str, Switch], before: Mapping[str, Any]) -> None:
    """Set what stands otherwise than `before`; of a library imported since, than when fresh."""
    for name, value in read(switches).items():
        switch = switches[name]
        library = sys.modules[switch.library]
        if name in before:
            wanted = before[name]
        elif switch.fresh is not None:
            wanted = switch.fresh(library)
        else:
            continue
        if spelled(value) != spelled(wanted):
            switch.put(library, wanted)


def read(switches: Mapping[str, Switch]) -> dict[str, Any]:
    """How those stand whose library has been imported."""
    found = {}
    for name, switch in switches.items():
        if switch.library in sys.modules:
            # One that is being imported has not all of its functions; the folder may be gone.
            with suppress(AttributeError, OSError):
                found[name] = switch.read(sys.modules[switch.library])
    return found


def spelled(value: Any) -> Any:
    """As something that `==` compares whole."""
    if hasattr(value, "numpy"):
        return value.numpy().tobytes()
    if hasattr(value, "tobytes"):
        return value.tobytes()
    return tuple(map(spelled, value)) if isinstance(value, tuple) else value


def stand() -> dict[str, Any]:
    """How everything stands that importing a plugin must leave alone, by name."""
    found = {name: spelled(value) for name, value in read(LOADING).items()}
    # Libraries add filters for their own warnings; these are for everybody's.
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
    """The names of what stands otherwise; what a library brought with it is no change."""
    return [
        name
        for name in {**before, **after}
        if before.get(name) != after.get(name) and (name in before or name not in LOADING)
    ]
