"""Reads files in the IDX format, in which MNIST is published, plain or packed with gzip.

A file begins with two zero bytes, a byte for the type of the numbers, a byte for the number of
dimensions, and each dimension as an unsigned 32-bit integer, most significant byte first. The numbers
follow, row by row (http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grokbench.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The type of the numbers for each value of the third byte."""


def unpacked(path: Path) -> bytes:
    """The content of a file; unpacked, if it is a gzip file, whatever its name is.

    Raises:
        DataError: the file cannot be read, or is a damaged gzip file.
    """
    try:
        content = path.read_bytes()
        # The first two bytes of every gzip file (RFC 1952). No IDX file begins with them.
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error}); get the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def parse_idx(content: bytes, path: Path) -> npt.NDArray[Any]:
    """The numbers in the content of an IDX file, in its shape; the array cannot be written into.

    Args:
        path: the name of the file, for messages.

    Raises:
        DataError: the content is not an IDX file, or is too short or too long.
    """
    if not content:
        raise DataError(f"{path}: is empty; get the file again")
    kind, dimensions = (*content[2:4], 0, 0)[:2]
    if len(content) < 4 or content[:2] != b"\0\0" or kind not in TYPES or not dimensions:
        raise DataError(
            f"{path}: is not an IDX file (it begins with {content[:4].hex(' ')}); "
            "get the file again, or name another folder"
        )
    begin = 4 + 4 * dimensions
    shape: tuple[int, ...] = ()
    if len(content) >= begin:
        shape = struct.unpack(f">{dimensions}I", content[4:begin])
    numbers = np.dtype(TYPES[kind])
    expected = begin + math.prod(shape) * numbers.itemsize
    if len(content) < begin or len(content) != expected:
        told = f"{list(shape)} numbers are {expected} bytes" if shape else "its header is cut off"
        raise DataError(
            f"{path}: is damaged: {told}, and the file has {len(content)}; get the file again"
        )
    return np.frombuffer(content, numbers, offset=begin).reshape(shape)


def read_idx(path: Path) -> npt.NDArray[Any]:
    """The numbers in an IDX file, plain or packed with gzip.

    Raises:
        DataError: the file cannot be read, is damaged, or is not an IDX file.
    """
    return parse_idx(unpacked(path), path)
