"""How a process that trains is set up: one thread, freed memory kept, Ctrl-C between steps."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from grokbench.errors import DeviceError
from grokbench.training.precision import refuses

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for tiny products: cores are used by processes instead (see `workers`)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def interruption_put_off() -> Iterator[Callable[[], bool]]:
    """Ctrl-C within it is not raised but told, so that no step is cut in the middle.

    It is raised at the end, and the second Ctrl-C at once. So is any other signal that raises
    KeyboardInterrupt. In a thread of its own nothing is put off: no signals arrive there.
    """
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if heard:
            signal.default_int_handler(number, frame)
        heard.append(number)

    here = threading.current_thread() is threading.main_thread()
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if here and signal.getsignal(number) is signal.default_int_handler
    ]
    for number in numbers:
        signal.signal(number, hear)
    try:
        yield lambda: bool(heard)
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt


def check_device(device: str) -> None:
    """See that something can be put on `device`.

    Raises:
        DeviceError: torch does not know it, or this machine does not have it.
    """
    try:
        torch.zeros(1, device=device).add_(1).item()
    except Exception as error:  # noqa: BLE001 (each backend raises its own)
        reason = str(error).strip().split("\n")[0]
        hint = "write cpu, or a device that is there"
        if device.startswith(("gpu", "nvidia")):
            hint = "did you mean 'cuda'?"
        raise DeviceError(f"device {device!r} cannot be used: {reason}; {hint}") from None


def why_untrainable(precisions: Iterable[str], device: str) -> dict[str, str]:
    """Of these precisions, those that `device` cannot compute in, and why."""
    return {name: why for name in sorted(precisions) if (why := refuses(name, device))}


def repeat_exactly(device: torch.device) -> None:
    """Have cuBLAS give the same bits on every stream; before its first product.

    As NVIDIA's notes on cuBLAS reproducibility say. Nothing on other devices.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def out_of_memory(error: BaseException) -> bool:
    """Whether memory of the device, or of the machine, was too short."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def keep_freed_memory() -> None:
    """Have malloc keep what training frees at every step, for the rest of the process.

    glibc gives blocks of activations back to the system and asks for them again at the next step;
    the page faults can cost more than the arithmetic. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
    mallopt(M_TRIM_THRESHOLD, 2**30)
    mallopt(M_TOP_PAD, 64 * 2**20)
