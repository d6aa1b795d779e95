"""Files that are written completely or not at all, and whose damage is found when they are read.

A netCDF-4 file whose writer was killed can be opened without an error, and its values are all NaN.
So each file is written under a temporary name, flushed to the disk, and then renamed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import uuid4

from grokbench.errors import ResultsError

TEMPORARY = ".tmp"
DAMAGED = ".damaged"
ABANDONED_AFTER_SECONDS = 600
"""Writing takes seconds. The writer of a temporary file of this age must have been killed."""

_SEAL = b"\ngrokbench sha256 "
_SEAL_LENGTH = len(_SEAL) + 64 + 1


def write_durably(
    folder: Path, write: Callable[[Path], object], name: Callable[[Path], str]
) -> Path:
    """Write a file in `folder`. A reader sees all of it or nothing, even after a power cut.

    Args:
        folder: the folder; it is made if it does not exist.
        write: fills the temporary file whose path it is given.
        name: the final name, from the path of the filled temporary file.

    Returns:
        The path of the file.

    Raises:
        ResultsError: the file could not be written. An earlier file of the name is unchanged.
    """
    temporary = folder / f".{uuid4().hex}{TEMPORARY}"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            _flush(temporary)
            target = folder / name(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush(folder)
    return target


def check_writable(folder: Path) -> None:
    """Write a file into `folder` and remove it. The folder is made if it does not exist.

    Raises:
        ResultsError: the file could not be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".", suffix=TEMPORARY) as file:
            file.write(b"grokbench")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn an error of writing into a `ResultsError`. netCDF raises RuntimeError for a full disk."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        if isinstance(error, FileExistsError):
            reason = "a file is in its place"
        raise ResultsError(
            f"{folder}: could not be written to ({reason}); what was stored before is unchanged. "
            f"Check the free space on the disk and the permissions of the folder, or name another "
            f"folder (--out), and run the same command again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file. A reader sees the old text or the new text.

    One half of a character (a lone surrogate) becomes an escape, as in JSON.

    Raises:
        ResultsError: the file could not be written. The old text is unchanged.
    """
    write_durably(
        path.parent,
        write=lambda temporary: temporary.write_bytes(encoded(text)),
        name=lambda _: path.name,
    )


def encoded(text: str) -> bytes:
    """The bytes that `write_text` writes."""
    return text.encode(errors="backslashreplace")


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of killed writers. Files of running writers are younger."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):  # another process removed it, or it belongs to another user
            if time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                path.unlink()


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that it is not read again. It is kept for inspection.

    Returns:
        The new path, or the old one if the file cannot be renamed, such as in a read-only folder.
    """
    aside = path.with_name(path.name + DAMAGED)
    copy = 2
    while aside.exists():
        aside = path.with_name(f"{path.name}.{copy}{DAMAGED}")
        copy += 1
    try:
        path.rename(aside)
    except OSError:
        return path
    return aside


def digest(content: bytes | memoryview) -> str:
    """The SHA-256 hash of the content: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def seal(path: Path) -> None:
    """Append the digest of the file's content.

    The first bytes of an HDF5 file say where its data ends, and readers ignore what follows. So any
    netCDF library can read a sealed file.
    """
    content = path.read_bytes()
    with path.open("ab") as file:
        file.write(_SEAL + digest(content).encode() + b"\n")


def has_seal(content: bytes) -> bool:
    """Whether the content ends with a seal."""
    return content[-_SEAL_LENGTH:].startswith(_SEAL)


def is_unchanged(content: bytes) -> bool:
    """Whether the content ends with a seal, and no byte before the seal has changed."""
    body, found = content[:-_SEAL_LENGTH], content[-_SEAL_LENGTH:]
    return found == _SEAL + digest(body).encode() + b"\n"


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and writes names to the disk at once
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
