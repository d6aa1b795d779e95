"""Errors of plugins: each is remembered against its plugin, as one line of text."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grokbench.catalogue import Sender

LONGEST = 300
"""The number of characters of an error's message that are shown."""

NOT_PLUGINS = sys.stdlib_module_names | {"grokbench", "pluggy", "torch", "numpy", "xarray", "scipy"}
"""Packages in whose code a plugin's mistake does not lie."""


@contextmanager
def guarded(sender: Sender) -> Iterator[None]:
    """Remember in `sender.errors` what is raised within, `sys.exit()` included, and go on."""
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        sender.complain(describe(error))


def describe(error: BaseException) -> str:
    """An error in one line: its type, its message, and the line of the plugin that led to it."""
    text = " ".join(f"{type(error).__name__}: {_message(error)}".split()).removesuffix(":")
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    if isinstance(error, SyntaxError):  # the message names the file and the line itself
        return text
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").split(".")[0] not in NOT_PLUGINS:
            return f"{text} ({Path(frame.f_code.co_filename).name}, line {line})"
    return text


def _message(error: BaseException) -> str:
    """The error's own words; nothing where an exception class of a plugin cannot say them."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - a plugin may raise anything
        return ""
    # A lone surrogate (half of a character) could be written to no file.
    return words.encode(errors="backslashreplace").decode()
