"""How worker processes are started: without the main script."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def main_script_hidden() -> Iterator[None]:
    """Processes that are spawned within the block do not execute the main script again.

    Python's `spawn` executes the main script in each new process, so that what is pickled can refer to
    the script. Workers are sent nothing of it. So a script may train without a guard
    (`if __name__ == "__main__":`), and also if there is no file to execute, as in `python - < script`.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
