"""Ctrl-C waits for the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruption_put_off() -> Iterator[Callable[[], bool]]:
    """Within the block, Ctrl-C raises nothing; the function that is given says whether it came.

    No step is cut in the middle, so that a checkpoint can be kept. KeyboardInterrupt is raised at
    the end of the block. The second Ctrl-C raises it at once. SIGTERM is put off in the same way
    where it raises KeyboardInterrupt, as it does in the command line.

    Only the main thread receives signals; in any other thread nothing is put off.
    """
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if heard:
            signal.default_int_handler(number, frame)
        heard.append(number)

    in_main_thread = threading.current_thread() is threading.main_thread()
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if in_main_thread and signal.getsignal(number) is signal.default_int_handler
    ]
    for number in numbers:
        signal.signal(number, hear)
    try:
        yield lambda: bool(heard)
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt
