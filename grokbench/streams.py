"""The standard streams of a process that belongs to grokbench: the command line, and its workers."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any

ASCII = "grokbench_ascii"
"""The codec of ASCII under another name. click takes ASCII for a mistake and writes UTF-8 instead."""


class OutputLostError(BaseException):
    """A standard stream cannot be written to: the disk is full, or the reader of a pipe has ended.

    Like KeyboardInterrupt, this is no `Exception`: nobody may take it for the error of a plugin or run.
    """


class Output(io.TextIOWrapper):
    """A standard stream that raises `OutputLostError` where others raise `OSError`, as all files do."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise OutputLostError from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputLostError from error


class Closed(io.RawIOBase):
    """A stream that was closed before the process began, as the shell's `>&-` does."""

    told = False

    def writable(self) -> bool:
        """True: otherwise nobody would try, and nobody would hear that the output is lost."""
        return True

    def write(self, data: Any, /) -> int:
        """Fail once. Python writes what is left in the buffer again when it ends."""
        if self.told:
            return len(data)
        self.told = True
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def own_streams() -> None:
    """Replace the standard streams of this process by `Output`."""
    if sys.stdout is None:
        sys.stdout = Output(io.BufferedWriter(Closed()), encoding="utf-8")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            own = Output(
                stream.buffer,
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, own)


def print_any_character() -> None:
    r"""Have standard output and standard error print every text, whatever their encoding.

    A character that the encoding lacks becomes an escape: `≥` is `\u2265` in ASCII, and one half of a
    character (a lone surrogate) is an escape in UTF-8 as well. No text ends a command or a training.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_alone = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(
                encoding=ASCII if ascii_alone else stream.encoding, errors="backslashreplace"
            )


def drop_what_is_lost() -> None:
    """Write what is left in the buffers of lost streams nowhere. Otherwise Python tries again when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OutputLostError:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != ASCII:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        found.streamreader,
        found.streamwriter,
        incrementalencoder=found.incrementalencoder,
        incrementaldecoder=found.incrementaldecoder,
        name=ASCII,
    )


codecs.register(_codec)
