"""A plugin's module imported in a process of its own: how long it takes, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from grokbench.testing.conformance.checks import Fault

PATIENCE = 120.0
"""Seconds of the clock after which an import has hung."""

PROGRAM = """
import importlib, json, sys, time
from pathlib import Path
known, location, commands, answer = json.loads(sys.argv[1])
sys.path[:] = known
import click
from grokbench.plugins.loading import import_file
from grokbench.switches import changes, stand
if not commands:
    from grokbench import architectures, optimizers, phenomena, tasks
before, stood, began = set(sys.modules), stand(), time.process_time()
import_file(Path(location)) if location.endswith(".py") else importlib.import_module(location)
seconds = time.process_time() - began
found = seconds, sorted(set(sys.modules) - before), changes(stood, stand())
Path(answer).write_text(json.dumps(found), encoding="utf-8")
"""


@dataclass(frozen=True)
class Trial:
    """What came of an import.

    Attributes:
        seconds: of processor time, beyond torch and grokbench, or beyond click for commands.
        modules: what it brought with it.
        changed: the names of what it changed for everybody.
        printed: what it wrote to standard output, there and when the process ended.
    """

    seconds: float
    modules: tuple[str, ...]
    changed: tuple[str, ...]
    printed: str


def trial(location: str, commands: bool) -> Trial:
    """Import a module by its dotted name, or the path of a single file.

    Args:
        commands: whether it is one of commands, before which torch is not imported.

    Raises:
        Fault: it fails, ends the process, or does not come to an end.
    """
    with TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        known = [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109
        asked = json.dumps([known, location, commands, str(answer)])
        try:
            done = subprocess.run(  # noqa: S603 (this interpreter, and our own words)
                [sys.executable, "-c", PROGRAM, asked],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Fault(
                f"importing it has not ended after {PATIENCE:g} s",
                "every command would wait for it",
                "wait for nothing (a network, a lock, input) at the top of a module",
            ) from error
        if not answer.exists():
            last = (
                done.stderr.strip() or f"it ends the process with {done.returncode}"
            ).splitlines()
            raise Fault(
                f"imported in a process of its own it fails: {last[-1]}",
                "worker processes import it so",
                "depend on nothing that another module has set up, and end nothing",
            )
        seconds, modules, changed = json.loads(answer.read_text(encoding="utf-8"))
    return Trial(seconds, tuple(modules), tuple(changed), done.stdout.strip())
