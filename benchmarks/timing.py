"""How the benchmarks measure time, and the options that all of them have."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from grokbench.training.memory import keep_freed_memory


def options(documentation: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with `--rounds` and `--device`."""
    parser = argparse.ArgumentParser(description=(documentation or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser


def one_core(device: str) -> str:
    """Restrict this process and those that it starts to one core and one thread.

    Returns:
        How far that was possible, in words.
    """
    os.environ.setdefault("JAX_PLATFORMS", device)
    if device != "cpu":
        # By default JAX reserves most of the card at once, and multiplies in TF32.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
        return f"on {torch.cuda.get_device_name()}"
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    torch.set_num_threads(1)
    if not hasattr(os, "sched_setaffinity"):
        return "one thread each"
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return "one thread each, all on the same core"


def settle(*, keep_memory: bool) -> None:
    """Set what holds in every process that is timed: one thread, IEEE float32."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    if keep_memory:
        keep_freed_memory()


def synchronize(device: str) -> None:
    """Wait until a GPU has finished."""
    if device != "cpu":
        torch.cuda.synchronize()


def forget(device: str) -> None:
    """Give cached memory of a GPU back, for the other contestants."""
    if device != "cpu":
        torch.cuda.empty_cache()


def seconds(work: Callable[[], object], device: str) -> float:
    """How long `work` takes, including what it started on the device."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median and the range over rounds: `2.00 [1.00–4.00]`."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}–{high:.{digits}f}]"
