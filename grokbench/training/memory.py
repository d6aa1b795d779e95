"""Memory: freed blocks are kept for the next step, and lack of memory is recognized."""

from __future__ import annotations

import ctypes

import torch

# The numbers of these parameters in glibc's malloc.h, for mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


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


def out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the machine, had too little memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        # Torch's allocator for CPUs raises a plain RuntimeError.
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
