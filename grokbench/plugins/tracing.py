"""The trace that `GROKBENCH_TRACE=1` prints: each plugin, each call of a hook, and its result."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from grokbench.catalogue import Sender
from grokbench.plain import on_one_line
from grokbench.plugins.guarding import describe


def traced() -> bool:
    """Whether the environment asks for the trace."""
    return os.environ.get("GROKBENCH_TRACE", "") not in {"", "0"}


def log(line: str) -> None:
    print(on_one_line(f"grokbench: {line}"), file=sys.stderr, flush=True)  # noqa: T201


def trace(manager: pluggy.PluginManager, sender: Sender, groups: Sequence[str]) -> None:
    """Print where a plugin comes from, and from now on each call of its hooks with its result."""

    def before(*_: object) -> None:
        registered[:], complained[:] = sender.registers, sender.errors

    def after(
        outcome: pluggy.Result[Any],
        hook: str,
        methods: Sequence[object],
        arguments: Mapping[str, Any],
    ) -> None:
        if not methods:
            return
        new = sender.registers[len(registered) :]
        # Commands are moved out of a group of the plugin's own only after this call.
        if "cli" in arguments:
            new = [f"command {name}" for name in arguments["cli"].commands]
        result = ", ".join(new) or "nothing registered"
        if outcome.exception is not None:
            result = f"raised {describe(outcome.exception)}"
        wrong = sender.errors[len(complained) :]
        log("; ".join([f"{hook} in {sender.location} -> {result}", *wrong]))

    registered: list[str] = []
    complained: list[str] = []
    found = "a single file" if sender.package == sender.location else " and ".join(groups)
    log(f"plugin {sender.origin} from {sender.location} ({found})")
    manager.add_hookcall_monitoring(before, after)
