"""Global settings and random states of a process: they are read, and put back.

No library is imported for this. A library that is not imported has no settings to read.
"""

from __future__ import annotations

import locale
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

with suppress(ImportError):  # Windows has no such limits.
    import resource


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


SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGCHLD", "SIGALRM")
    if hasattr(signal, name)
]
"""The signals whose handlers are put back; not every system has all of them."""


def _products(torch: Any) -> tuple[Any, ...]:
    """How torch multiplies: one setting for all libraries, one for each, and two of cuDNN."""
    libraries, cudnn = _libraries(torch), torch.backends.cudnn
    return (
        torch.get_float32_matmul_precision(),
        tuple(library.fp32_precision for library in libraries),
        cudnn.benchmark,
        cudnn.deterministic,
    )


def _set_products(torch: Any, found: tuple[Any, ...]) -> None:
    overall, each, benchmark, deterministic = found
    torch.set_float32_matmul_precision(overall)
    for library, precision in zip(_libraries(torch), each, strict=True):
        library.fp32_precision = precision
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cudnn.deterministic = deterministic


def _libraries(torch: Any) -> tuple[Any, ...]:
    cuda, cudnn, mkldnn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
    return cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn


def _set_handlers(_: Any, handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        # None: the handler was not set by Python, so that Python cannot set it again.
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _stop_alarm(_: Any, was_set: bool) -> None:
    if not was_set:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _set_warnings(_: Any, found: tuple[Any, ...]) -> None:
    # Leaving this block tells Python that the filters have changed.
    with warnings.catch_warnings():
        pass
    warnings.filters[:], warnings.showwarning = found  # type: ignore[index]


def _for_all(filters: Any) -> list[Any]:
    """The filters for all warnings. Libraries add other filters, for their own warnings."""
    return [one for one in filters if one[1] is None and one[3] is None and one[2] is Warning]


def _set_for_all(_: Any, found: list[Any]) -> None:
    others = [one for one in warnings.filters if one not in _for_all(warnings.filters)]
    _set_warnings(_, ([*others, *found], warnings.showwarning))


LIMITS = [
    getattr(sys.modules["resource"], name)
    for name in dir(sys.modules.get("resource"))
    if name.startswith("RLIMIT_")
]
"""The limits that the system sets to a process: its memory, the size of its files, and so on."""


def _set_limits(_: Any, found: dict[int, tuple[int, int]]) -> None:
    for number, (soft, hard) in found.items():
        if resource.getrlimit(number) != (soft, hard):
            try:
                resource.setrlimit(number, (soft, hard))
            except (ValueError, OSError):  # only root raises a hard limit
                most = resource.getrlimit(number)[1]
                kept = most if _lower(most, soft) else soft
                with suppress(ValueError, OSError):
                    resource.setrlimit(number, (kept, most))


def _lower(one: int, other: int) -> bool:
    """Whether one limit is lower than another; the system has a number of its own for "no limit"."""
    endless = resource.RLIM_INFINITY
    return one != endless and (other == endless or one < other)


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

OF_A_THREAD = {
    "whether torch records gradients": Switch(
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, found: torch.set_grad_enabled(found),
        lambda torch: True,
    ),
    "numpy's handling of errors": Switch(
        "numpy", lambda numpy: numpy.geterr(), lambda numpy, found: numpy.seterr(**found)
    ),
    # Torch tells nobody, but Python's own numbers show it.
    "torch's flushing of tiny numbers to zero": Switch(
        "torch",
        lambda torch: sys.float_info.min / 2 == 0,
        lambda torch, found: torch.set_flush_denormal(found),
        lambda torch: False,
    ),
}
"""Settings that each thread has for itself. All others belong to the process."""

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
    "torch's deterministic algorithms": Switch(
        "torch",
        lambda torch: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda torch, found: torch.use_deterministic_algorithms(found[0], warn_only=found[1]),
        lambda torch: (False, False),
    ),
    "torch's precision of products": Switch("torch", _products, _set_products),
    "torch's detection of anomalies": Switch(
        "torch",
        lambda torch: torch.is_anomaly_enabled(),
        lambda torch, found: torch.autograd.set_detect_anomaly(found),
        lambda torch: False,
    ),
    "numpy's printing of arrays": Switch(
        "numpy",
        lambda numpy: numpy.get_printoptions(),
        lambda numpy, found: numpy.set_printoptions(**found),
    ),
    "xarray's options": Switch(
        "xarray",
        lambda xarray: dict(xarray.get_options()),
        # The others stay unnamed, because xarray warns of options that it no longer uses.
        lambda xarray, found: xarray.set_options(
            **dict(found.items() - xarray.get_options().items())
        ),
    ),
    "the locale": Switch(
        "locale",
        lambda _: locale.setlocale(locale.LC_ALL),
        lambda _, found: locale.setlocale(locale.LC_ALL, found),
    ),
    "Python's limits": Switch(
        "sys",
        lambda sys: (sys.getrecursionlimit(), sys.get_int_max_str_digits()),
        lambda sys, found: (sys.setrecursionlimit(found[0]), sys.set_int_max_str_digits(found[1])),
    ),
    "the limits of the system": Switch(
        "resource",
        lambda resource: {number: resource.getrlimit(number) for number in LIMITS},
        _set_limits,
    ),
    "the collection of garbage": Switch(
        "gc",
        lambda gc: gc.isenabled(),
        lambda gc, found: gc.enable() if found else gc.disable(),
    ),
    "the handlers of signals": Switch(
        "signal",
        lambda signal: {number: signal.getsignal(number) for number in SIGNALS},
        _set_handlers,
    ),
    "the alarm": Switch(
        "signal", lambda signal: signal.getitimer(signal.ITIMER_REAL)[0] > 0, _stop_alarm
    ),
    "the working folder": Switch("os", lambda os: os.getcwd(), lambda os, found: os.chdir(found)),
    **OF_A_THREAD,
}

PATHS_AND_WARNINGS = {
    "the environment": Switch("os", lambda os: dict(os.environ), _set_environment),
    "the search path of modules": Switch(
        "sys",
        lambda sys: list(sys.path),
        lambda sys, found: sys.path.__setitem__(slice(None), found),
    ),
    "the filters of warnings": Switch(
        "warnings",
        lambda warnings: (list(warnings.filters), warnings.showwarning),
        _set_warnings,
    ),
}

SWITCHES = {**RANDOM, **SETTINGS, **PATHS_AND_WARNINGS}
"""What calling a plugin must not change."""

LOADING = {
    **RANDOM,
    **SETTINGS,
    "the filters of warnings": Switch(
        "warnings", lambda warnings: _for_all(warnings.filters), _set_for_all
    ),
}
"""What importing a plugin must not change. Some libraries set environment variables when they are
imported, and filters for their own warnings. A plugin may look for its modules in a folder of its own,
also later."""

UNSET = {
    "variables of the environment": Switch(
        "os", lambda os: dict(os.environ), lambda os, found: os.environ.update(found)
    ),
}
"""Variables of the environment that an import has removed or changed."""

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


@contextmanager
def as_imported() -> Iterator[None]:
    """Within the block, settings have the values that their libraries have when they are imported.

    A caller may have changed torch's default type of numbers, for example. Training in the caller's
    process then gives the same bits as training in a worker process, which has imported torch afresh.
    """
    known = {name: switch for name, switch in SETTINGS.items() if switch.fresh is not None}
    with put_back(known):
        put(known, {})
        yield


def put(switches: Mapping[str, Switch], before: Mapping[str, Any]) -> None:
    """Set the switches that differ from `before`. New libraries get their fresh values.

    A switch that cannot be set does not keep the others from being set: the working folder may be
    gone, and only the main thread sets handlers of signals.
    """
    now = read(switches)
    for name, switch in switches.items():
        library = sys.modules.get(switch.library)
        if name in before:
            wanted = before[name]
        elif name in now and switch.fresh is not None:
            wanted = switch.fresh(library)
        else:
            continue
        if library is not None and not (name in now and same(now[name], wanted)):
            with suppress(Exception):
                switch.put(library, wanted)


def read(switches: Mapping[str, Switch]) -> dict[str, Any]:
    """The values of the switches whose library is imported."""
    found = {}
    for name, switch in switches.items():
        if switch.library in sys.modules:
            # A library that is being imported lacks functions; the working folder may be gone;
            # torch's settings may contradict each other.
            with suppress(AttributeError, OSError, RuntimeError):
                found[name] = switch.read(sys.modules[switch.library])
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two values of a switch are equal; false where a plugin's object cannot say so."""
    with suppress(Exception):
        if (one == other) is True:  # arrays and tensors do not answer so, and all else is faster
            return True
    try:
        return bool(comparable(one) == comparable(other))
    except Exception:  # noqa: BLE001 - the handler of a signal may be any object
        return False


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
