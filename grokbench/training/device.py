"""The device that trains: whether it can be used, and how its work is set up."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from grokbench.errors import DeviceError
from grokbench.training.precision import refuses

BUILD_LOCK = threading.RLock()
"""Held by a thread that builds, compiles or captures. Torch's compiler and plugins are not known to
be safe in threads. On a GPU, compiling and beginning a capture wait for the whole device, which is
an error while another thread captures."""

THREAD = threading.local()
"""`THREAD.streams`: each thread's own CUDA streams, by the number of the GPU."""


def check_device(device: str) -> None:
    """Put a tensor on `device` and compute with it.

    Raises:
        DeviceError: torch does not know the device, or this machine does not have it.
    """
    try:
        torch.zeros(1, device=device).add_(1).item()
    except Exception as error:  # noqa: BLE001 (each backend raises its own)
        hint = "write cpu, or a device that is there"
        if device.startswith(("gpu", "nvidia")):
            hint = "did you mean 'cuda'?"
        raise DeviceError(
            f"device {device!r} cannot be used: {first_line(error)}; {hint}"
        ) from None


def check_still_there(device: torch.device) -> None:
    """See that a GPU still computes: after some errors it does nothing more for this process.

    Raises:
        DeviceError: the GPU does not compute any more.
    """
    if device.type != "cuda":
        return
    try:
        torch.ones(1, device=device).add_(1).item()
    except torch.OutOfMemoryError:
        return  # a full GPU is there
    except RuntimeError as error:
        raise DeviceError(
            f"device {str(device)!r} failed while it trained: {first_line(error)}; what was stored "
            "is kept, and the same command goes on from there"
        ) from error


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def why_untrainable(precisions: Iterable[str], device: str) -> dict[str, str]:
    """Those of `precisions` that `device` cannot compute in, each with the reason."""
    return {name: why for name in sorted(precisions) if (why := refuses(name, device))}


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block torch uses one CPU thread.

    Tiny matrix products gain nothing from threads. Cores are used by processes (see `workers`).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def stream_of_its_own(device: torch.device) -> Iterator[None]:
    """Within the block, this thread's work on a GPU goes into a CUDA stream of the thread's own.

    CUDA cannot capture the default stream. A thread keeps the stream that it has: torch takes new
    streams from a small pool in turn, so that two threads could come to share one.
    """
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        number = torch.cuda.current_device()
        if not hasattr(THREAD, "streams"):
            THREAD.streams = {}
        if number not in THREAD.streams:
            THREAD.streams[number] = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(THREAD.streams[number]):
            yield


def repeat_exactly(device: torch.device) -> None:
    """Have a GPU give the same bits every time; call before the process's first matrix product.

    cuBLAS may choose another kernel on another stream unless its workspace is fixed (NVIDIA, cuBLAS
    documentation, "Results Reproducibility"). Torch's compiler times candidate kernels unless it is
    told to be deterministic. Other devices need nothing.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")
