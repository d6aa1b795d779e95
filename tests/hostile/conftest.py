"""The trained results that all tests of this room share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hostile.room import ROOM, TRAINED, Room, claim_of, invoke


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where pytest is a background job, in which Python ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "trained.toml").write_text(TRAINED, encoding="utf-8")
    out = folder / "trained"
    result = invoke("run", folder / "trained.toml", "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    return Room(folder)


@pytest.fixture(scope="session")
def untouched(room: Room) -> dict[str, Any]:
    """The innocent claim, where there is no hostile plugin."""
    suite = room.suite({"name": "innocent"})
    plugin = f"--plugin={ROOM / 'innocent.py'}"
    result = invoke("score", room.folder / "trained", "--suite", suite, plugin, "--json")
    return claim_of(result, 1)
