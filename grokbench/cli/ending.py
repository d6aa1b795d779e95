"""How a command ends: every error becomes an exit code and a message, never a bare traceback."""

from __future__ import annotations

import errno
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from grokbench import __version__
from grokbench.cli.exit_code import ExitCode
from grokbench.plain import on_one_line
from grokbench.streams import OutputLostError, drop_what_is_lost, print_any_character

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
