"""How a command ends: every error becomes an exit code and a message, never a bare traceback."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import click

from grokbench import __version__
from grokbench.cli.exit_code import ExitCode
from grokbench.plain import on_one_line
from grokbench.streams import OutputLostError, drop_what_is_lost, print_any_character

PATIENCE = 1.0
"""Seconds that the process waits at its end for the threads of plugins. Python itself ends idle pools of
threads within this time."""

LONGEST = 300
"""The number of characters of an unforeseen error's message that are shown."""


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command to its end.

    Args:
        command: raises click's own exceptions, and returns the exit code; None for success.

    Returns:
        The exit code. What is to be said about it was printed on standard error.
    """
    code: int = ExitCode.OK
    try:
        print_any_character()
        try:
            code = command() or ExitCode.OK
        except OutputLostError:
            raise
        except click.ClickException as error:
            code = error.exit_code
            error.show()
        except (click.Abort, KeyboardInterrupt):
            code = ExitCode.INTERRUPTED
            click.echo("Interrupted.", err=True)
        except BaseException as error:  # noqa: BLE001 - whatever was not foreseen
            code = ExitCode.UNFORESEEN
            tell_unforeseen(error)
        # Otherwise Python does this when it ends, with an exit code of its own.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OutputLostError as lost:
        drop_what_is_lost()
        tell_lost_output(lost)
        return code or ExitCode.OUTPUT_LOST
    return code


def leave(code: int) -> NoReturn:
    """End the process with an exit code, even if a plugin's thread goes on. All output was flushed."""
    if running_threads():
        threading.Thread(target=end_despite_threads, args=(code,), daemon=True).start()
    sys.exit(code)


def running_threads() -> list[threading.Thread]:
    """The threads for which Python waits before it ends."""
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.daemon
    ]


def end_despite_threads(code: int) -> None:
    """Give the threads some time. If one is still running then, say so and end the process.

    Python meanwhile waits for the same threads, and ends by itself if they end.
    """
    until = time.monotonic() + PATIENCE
    for thread in running_threads():
        thread.join(max(0.0, until - time.monotonic()))
    if running_threads():
        with suppress(OutputLostError):
            click.echo(
                "Note: a thread that a plugin started is still running; the command does not wait for it.",
                err=True,
            )
        os._exit(code)


def tell_lost_output(error: OutputLostError) -> None:
    """Say why the output was lost; nothing if its reader has ended, as in `grokbench list tasks | head -1`."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno != errno.EPIPE:
        with suppress(OutputLostError):
            click.echo(f"Error: the output could not be written: {cause.strerror}.", err=True)


def tell_unforeseen(error: BaseException) -> None:
    """Print one paragraph about an error that nobody foresaw, and put the traceback into a file."""
    said = on_one_line(" ".join("".join(traceback.format_exception_only(error)).split()))
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
    try:
        where = f"The traceback is in {traceback_file(error)}."
    except OSError as reason:
        where = f"The traceback could not be kept ({reason.strerror}); it is:\n{told(error)}"
    click.echo(
        f"Error: grokbench did not foresee this error: {said}\n"
        f"Please report the error. If the last lines of the traceback are in a plugin, report it to the "
        f"plugin's author. {where}",
        err=True,
    )


def traceback_file(error: BaseException) -> str:
    """The path of a new file in the folder for temporary files, with all that a report needs."""
    with tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        errors="backslashreplace",
        prefix="grokbench-error-",
        suffix=".txt",
        delete=False,
    ) as file:
        file.write(
            f"grokbench {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
            f"command: {sys.argv}\n\n{told(error)}"
        )
    return file.name


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
