"""The guard: every call into the code of a plugin stands within one.

A plugin is Python code in the same process. The guard keeps a plugin's mistakes from everything else: what
the plugin raises is its own failure, with its name, and what it changed for the whole process is put
back. docs/plugins.md says what no guard can do.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from grokbench.catalogue import Sender
from grokbench.errors import PluginFailure
from grokbench.switches import SWITCHES, Switch, put_back

LONGEST = 300
"""The number of characters of an error's message that are shown."""

NOT_PLUGINS = sys.stdlib_module_names | {"grokbench", "pluggy", "torch", "numpy", "xarray", "scipy"}
"""Packages in whose code a plugin's mistake does not lie."""


@contextmanager
def guard(
    owner: str,
    *expected: type[Exception],
    switches: Mapping[str, Switch] = SWITCHES,
    aside: bool = True,
) -> Iterator[None]:
    """Within this block the code of a plugin is called.

    Whatever is raised is the plugin's failure: also `sys.exit()`, a KeyboardInterrupt that is not the
    user's Ctrl-C, and an error that cannot say what it is. Ctrl-C stays Ctrl-C, even where the plugin
    swallows it. Guards may stand within guards; the failure is told by the innermost. A child that the
    plugin forked ends at the end of the block.

    Args:
        owner: who is called, in words: "detector 'dip'".
        expected: the errors that the contract allows. They pass unchanged.
        switches: the global state that is put back at the end of the block.
        aside: whether printed text goes to standard error, because standard output may be JSON that
            another program reads. In any case a plugin cannot close the streams.

    Raises:
        PluginFailure: the plugin raised something else than the expected errors.
    """
    passing: tuple[type[Exception], ...] = (PluginFailure, *expected)
    with _ctrl_c_told_apart() as heard, put_back(switches), streams_kept(aside=aside):
        try:
            # Innermost: a child must put nothing back and tell no failure.
            with no_child_goes_on():
                yield
        except passing:
            raise
        except BaseException as error:
            if heard:
                raise
            raise PluginFailure(owner, describe(error), error, place_of(error)) from error


@contextmanager
def guarded(sender: Sender, switches: Mapping[str, Switch] = SWITCHES) -> Iterator[None]:
    """A guard that remembers a failure in `sender.errors`, and goes on."""
    try:
        with guard("", switches=switches):
            yield
    except PluginFailure as failure:
        sender.complain(failure.told)


@contextmanager
def no_child_goes_on() -> Iterator[None]:
    """Code of a plugin may fork within this block; the child ends at the latest where the block ends.

    Otherwise the child would go on as a second grokbench.
    """
    parent = os.getpid()
    try:
        yield
    finally:
        end_if_forked(parent)


def end_if_forked(parent: int) -> None:
    """End this process at once if it is not the process `parent`, but a child of it.

    Nothing is written: the buffers may have text of the parent, which the parent writes itself. Nothing is
    cleaned up: temporary files, locks and worker processes belong to the parent. The exit code is the one
    that Python would give for the error that is being raised.
    """
    if os.getpid() != parent:
        error = sys.exception()
        code = error.code if isinstance(error, SystemExit) else int(error is not None)
        os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))


def describe(error: BaseException) -> str:
    """An error in one line: its type, its message, and the line of the plugin that led to it."""
    try:
        return _described(error)
    except Exception:  # noqa: BLE001 - a class of errors may be anything
        return "an error that cannot say what it is"


def _described(error: BaseException) -> str:
    if isinstance(error, PluginFailure):
        return error.told
    text = " ".join(f"{type(error).__name__}: {message_of(error)}".split()).removesuffix(":")
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    if isinstance(error, SyntaxError):  # the message names the file and the line itself
        return text
    return f"{text}{place_of(error)}"


def place_of(error: BaseException) -> str:
    """` (file.py, line 3)`: the line of the plugin that led to an error; "" if none did."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__", "")).split(".")[0] not in NOT_PLUGINS:
            return f" ({Path(frame.f_code.co_filename).name}, line {line})"
    return ""


def message_of(error: BaseException) -> str:
    """The error's own words; nothing where an exception class of a plugin cannot say them."""
    try:
        words = str(error)
    except BaseException:  # noqa: BLE001 - a plugin may raise anything
        return ""
    # A lone surrogate (half of a character) could be written to no file. The method of `str` itself,
    # because a plugin may give a subclass.
    return str.encode(words, errors="backslashreplace").decode()


@contextmanager
def _ctrl_c_told_apart() -> Iterator[list[BaseException]]:
    """Within the block, what the handlers of Ctrl-C and SIGTERM raise is listed; then it is raised.

    Only the main thread receives signals.
    """
    heard: list[BaseException] = []

    def hearing(handler: Any) -> Any:
        def hear(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                heard.append(error)
                raise

        return hear

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        before = {one: handler for one, handler in before.items() if callable(handler)}
    for number, handler in before.items():
        signal.signal(number, hearing(handler))
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            raise heard[0]


class _Unclosable:
    """A stream for a plugin, which the plugin cannot close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Do nothing: the stream belongs to the process."""

    detach = close


_streams_lock = threading.Lock()
_blocks: list[list[Any]] = []
"""The streams that each block of `streams_kept` found, for the blocks that have not ended."""


@contextmanager
def streams_kept(*, aside: bool) -> Iterator[None]:
    """Within the block a plugin cannot close or exchange the process's standard streams.

    Args:
        aside: whether standard output goes to standard error.
    """
    with _streams_lock:
        out, err = found = [sys.stdout, sys.stderr]
        _blocks.append(found)
        # A process without a console has no streams.
        sys.stdout, sys.stderr = (
            stream if stream is None else _Unclosable(stream)
            for stream in (err if aside else out, err)
        )
    try:
        yield
    finally:
        with _streams_lock:
            place = next(i for i, block in enumerate(_blocks) if block is found)
            if found is _blocks[-1]:
                sys.stdout, sys.stderr = found
            else:  # Blocks of two threads may end in any order: the later one puts back.
                _blocks[place + 1][:] = found
            del _blocks[place]
