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


ALONE = threading.RLock()
"""Held by a thread that builds, compiles or captures: neither torch's compiler nor plugins are known
to be safe in threads, and on a GPU both compiling and the beginning of a capture wait for the whole
device, which is an error while anybody else captures."""

OWN = threading.local()
"""Each thread's streams, by the number of the GPU."""


@contextmanager
def stream_of_its_own(device: torch.device) -> Iterator[None]:
    """Within it this thread's work on a GPU goes into a stream of the thread's own.

    CUDA captures no default stream. torch hands the same few streams out again and again, so
    that each thread keeps the one it has.
    """
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        number = torch.cuda.current_device()
        if not hasattr(OWN, "streams"):
            OWN.streams = {}
        if number not in OWN.streams:
            OWN.streams[number] = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(OWN.streams[number]):
            yield


def check_still_there(device: torch.device) -> None:
    """See that a GPU still computes: after some errors it does nothing more for this process.

    Raises:
        DeviceError: it does not.
    """
    if device.type != "cuda":
        return
    try:
        torch.ones(1, device=device).add_(1).item()
    except torch.OutOfMemoryError:
        return
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise DeviceError(
            f"device {str(device)!r} failed while it trained: {reason}; what was stored is kept, and "
            "the same command goes on from there"
        ) from error


def repeat_exactly(device: torch.device) -> None:
    """Have cuBLAS give the same bits on every stream and every time; before its first product.

    As NVIDIA's notes on cuBLAS reproducibility say; and torch's compiler choose kernels without
    timing them, where that would change bits. Nothing on other devices.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")


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
