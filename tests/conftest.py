"""Settings that every test shares."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.clock import Clock

# pytest-xdist sets it, and tables would be as narrow.
os.environ.pop("COLUMNS", None)

# Machines differ in speed, and a test says nothing about it.
settings.register_profile("grokbench", deadline=None, print_blob=True)
settings.load_profile("grokbench")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of `run_suite`, which a test can set forward."""
    from grokbench import session
    from grokbench.training import workers

    clock = Clock()
    for module in (session, workers):
        monkeypatch.setattr(module, "time", clock)
    return clock
