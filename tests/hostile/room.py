"""A small trained suite, and what its claims come out as beside a hostile plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner, Result

import grokbench
from grokbench.cli import cli

ROOM = Path(__file__).parent / "plugins"

TRAINED = """
[recipes.short]
optimizer = "adamw"
steps = 4
evaluate_every = 2

[experiments.addition]
task = { name = "modular_addition", modulus = 5 }
architecture = "dense"
recipe = "short"
model_sizes = [4, 8]
data_sizes = [10]
seeds = 2
"""

CLAIM = """
[claims.{name}]
statement = "Four steps teach next to nothing."
detector = {detector}
experiment = "addition"
rule = {{ at_most = 0.9 }}
minimum_seeds = 2
"""


def spelled(table: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


def invoke(*arguments: object) -> Result:
    # The innocent detector draws a number, and shows if another plugin has drawn before.
    torch.manual_seed(0)
    return CliRunner().invoke(cli, [str(one) for one in arguments], prog_name="grokbench")


def in_a_fresh_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What the real command line does, ended after ten minutes. Its output goes into pipes."""
    root = str(Path(grokbench.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "grokbench", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class Room:
    """The trained results, and suites with hostile claims about them.

    Attributes:
        folder: where the results are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def suite(self, *detectors: Mapping[str, str]) -> Path:
        """A suite with a claim for each detector, and then an innocent claim."""
        named = [*detectors, {"name": "innocent"}]
        claims = [
            CLAIM.format(name=f"{one['name']}{i}", detector=spelled(one))
            for i, one in enumerate(named)
        ]
        path = self.folder / "judging.toml"
        path.write_text(TRAINED + "".join(claims), encoding="utf-8")
        return path

    def judged(self, command: str, plugin: str, *more: object, **options: str) -> Result:
        """What a command does with a hostile claim: by a detector of the plugin's name, with options."""
        return invoke(*self.judging(command, plugin, **options), *more)

    def judging(self, command: str, plugin: str, **options: str) -> list[object]:
        """The words of that command."""
        suite = self.suite({"name": plugin, **options})
        files = [f"--plugin={ROOM / f'{one}.py'}" for one in (plugin, "innocent")]
        return [command, self.folder / "trained", "--suite", suite, *files]


def claim_of(result: Result, place: int) -> dict[str, Any]:
    """One claim of `score --json`."""
    assert result.exit_code == 0, result.output
    entry: dict[str, Any] = json.loads(result.stdout)["claims"][place]
    return entry
