"""Memory: freed blocks are kept for the next step, and lack of memory is recognized."""

from __future__ import annotations

import ctypes
import errno

import torch

from grokbench.plugins import message_of

# The numbers of these parameters in glibc's malloc.h, for mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3

LACKING = (
    "can't allocate memory",
    "not enough memory: you tried to allocate",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""The words of errors that torch raises for lack of memory without a class of their own."""


def keep_freed_memory() -> None:
    """Have malloc keep what a training step frees, for the rest of the process.

    By default glibc returns large blocks to the system and asks for them again at the next step.
    The page faults can cost more than the arithmetic. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    # Blocks below 32 MiB (the largest threshold that glibc accepts) come from the heap and not from
    # mmap; the heap keeps up to 1 GiB of free memory, and grows by 64 MiB at a time.
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
    mallopt(M_TRIM_THRESHOLD, 2**30)
    mallopt(M_TOP_PAD, 64 * 2**20)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether the device, or the machine, had too little memory; also as the cause of the error."""
    seen: list[BaseException] = []  # an error can be its own cause
    while error is not None and all(error is not one for one in seen):
        seen.append(error)
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        # Torch's allocator for CPUs, the CUDA runtime and cuBLAS raise plain RuntimeErrors.
        if isinstance(error, RuntimeError) and any(words in message_of(error) for words in LACKING):
            return True
        error = error.__cause__
    return False
