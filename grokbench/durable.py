"""Files that are there whole or not at all, and that show when they were changed since.

A netCDF-4 file whose writer was killed opens cleanly and reads as all NaN, so nothing is written
where it will be read: it is written beside it, flushed to the disk, and renamed.
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
"""Writing takes seconds; a temporary file as old as this has lost its writer."""

_SEAL = b"\ngrokbench sha256 "
_SEAL_LENGTH = len(_SEAL) + 64 + 1


def write_durably(
    folder: Path, write: Callable[[Path], object], name: Callable[[Path], str]
) -> Path:
    """Have `write` fill a temporary file in `folder`, then give it the name that `name` finds.

    Whoever looks sees the file whole or not at all, even after a power cut. The folder is made
    where there is none.

    Raises:
        ResultsError: it could not be written; what was there before is as it was.
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
    """Write a file into `folder` and remove it; the folder is made where there is none.

    Raises:
        ResultsError: it could not be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".", suffix=TEMPORARY) as file:
            file.write(b"grokbench")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say where writing failed, and what to do; netCDF raises RuntimeError, for a full disk too."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        if isinstance(error, FileExistsError):
            reason = "a file is in its place"
        raise ResultsError(
            f"{folder}: could not be written to ({reason}); what was stored before is as it was. "
            f"See that its disk has room and that you may write there, or name another folder "
            f"(--out), and run the same again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file; whoever looks sees the old text or the new one, whole.

    Raises:
        ResultsError: it could not be written; the old text is as it was.
    """
    write_durably(
        path.parent,
        write=lambda temporary: temporary.write_bytes(text.encode()),
        name=lambda _: path.name,
    )


def remove_abandoned(folder: Path) -> None:
    """Remove what killed writers left behind; the files of live writers are younger."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):  # gone by now, or somebody else's
            if time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                path.unlink()


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that nobody reads it again; it is kept for whoever wants to look.

    Where nothing may be renamed (somebody else's folder), the file stays as it is.
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
    """The SHA-256 of the content: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def seal(path: Path) -> None:
    """Append the digest of all that the file holds.

    HDF5 keeps the end of its own data in its first bytes and never looks past it, so any netCDF
    library reads a sealed file as before.
    """
    content = path.read_bytes()
    with path.open("ab") as file:
        file.write(_SEAL + digest(content).encode() + b"\n")


def has_seal(content: bytes) -> bool:
    """Whether the file was sealed, and ends where it was sealed."""
    return content[-_SEAL_LENGTH:].startswith(_SEAL)


def is_unchanged(content: bytes) -> bool:
    """Whether the file is sealed, and every byte is as it was then."""
    body, found = content[:-_SEAL_LENGTH], content[-_SEAL_LENGTH:]
    return found == _SEAL + digest(body).encode() + b"\n"


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and writes its names through by itself
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
