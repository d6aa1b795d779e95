"""Kill processes that train a suite, one after the other, until one reaches the end.

Run as `killed_trainer.py FOLDER [--sequential]`; with a sequential suite in the second case. First trains the suite without interruption, into FOLDER/whole.
Then trains it into FOLDER/cut in several processes. Each process kills itself just before a certain
change of its files: the opening, renaming or removal of a checkpoint, of records or of the dataset.
Checkpoints are kept after every step. The changes are counted and no clock is involved, so that the
same changes are met every time. Prints a line of JSON: how each process ended, and the first step
that it evaluated.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from grokbench.plan import Cohort
from grokbench.session import Watcher, run_suite
from grokbench.training import checkpoints

SUITE = """
[recipes.short]
optimizer = "adamw"
learning_rate = 3e-3
steps = 24
evaluate_every = 8

[experiments.addition]
task = { name = "modular_addition", modulus = 7 }
architecture = "dense"
recipe = "short"
model_sizes = [4, "2x4"]
data_sizes = [20, 30]
seeds = 2

[experiments.memorization]
task = { name = "random_labels", modulus = 7 }
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [49]
seeds = 2
"""
SEQUENTIAL = """
[sequential]
looks = [2, 3, 5]
first_seed = 7

[recipes.short]
optimizer = "adamw"
learning_rate = 3e-3
steps = 24
evaluate_every = 8

[experiments.addition]
task = { name = "modular_addition", modulus = 7 }
architecture = "dense"
recipe = "short"
model_sizes = [4, 8]
data_sizes = [20, 30]

[claims.decided_at_once]
statement = "No run groks in 24 steps. Two seeds show that at most 95 % do."
detector = { name = "dynamics", expected = "grokking" }
experiment = "addition"
where = { model_size = 8 }
rule = { at_most = 0.95 }
minimum_seeds = 2

[claims.never_decided]
statement = "That at most 30 % grok takes more than five seeds."
detector = { name = "dynamics", expected = "grokking" }
experiment = "addition"
where = { model_size = 4 }
rule = { at_most = 0.3 }
minimum_seeds = 2

[claims.decided_late]
statement = "That at most 85 % grok takes three seeds."
detector = { name = "dynamics", expected = "grokking" }
experiment = "addition"
where = { model_size = 8, data_size = 20 }
rule = { at_most = 0.85 }
minimum_seeds = 2
"""
CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class FirstStep(Watcher):
    """Writes down the first step that is evaluated."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        if not self.path.exists():
            self.path.write_text(str(step))


class Death:
    """Kills the process just before the n-th change in a folder; an audit hook."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at, self.count = str(folder), at, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or not str(arguments[0]).startswith(self.folder):
            return
        if event == "open" and not arguments[2] & WRITES:
            return
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder: Path, suite: Path, first_step: Path, dies_at: int) -> int:
    """Train in a new process; returns its exit code."""
    child = os.fork()
    if child == 0:
        if dies_at:
            sys.addaudithook(Death(folder, dies_at))
        run_suite(suite, folder, jobs=1, checkpoint_every=1e-9, watcher=FirstStep(first_step))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, text: str) -> None:
    torch.set_num_threads(1)
    checkpoints.LOOK_SECONDS = 0.0
    suite = folder / "suite.toml"
    suite.write_text(text)
    assert 0 == train(folder / "whole", suite, folder / "first", 0)
    random_changes, exits, steps = random.Random(0), [], []
    while not exits or exits[-1]:
        first_step = folder / f"first-{len(exits)}"
        exits.append(train(folder / "cut", suite, first_step, random_changes.randint(5, 80)))
        steps.append(int(first_step.read_text()) if first_step.exists() else None)
    sys.stdout.write(json.dumps({"exits": exits, "first_steps": steps}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), SEQUENTIAL if "--sequential" in sys.argv else SUITE)
