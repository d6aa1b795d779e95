"""A clock that a test can set forward."""

from __future__ import annotations

import time


class Clock:
    """Stands in for the module `time`: the time passes, and can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def strike(self) -> None:
        self.ahead += 1e6
