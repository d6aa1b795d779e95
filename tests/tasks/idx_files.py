"""Writes files in the IDX format, for tests of what reads them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: npt.ArrayLike, numbers: str = "u1") -> bytes:
    """The array as an IDX file of a type of numbers."""
    values: npt.NDArray[Any] = np.asarray(array)
    header = struct.pack(f">4B{values.ndim}I", 0, 0, CODES[numbers], values.ndim, *values.shape)
    return header + values.astype(f">{numbers}").tobytes()
