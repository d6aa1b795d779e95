"""Kill a writer in the states that the disk goes through while it saves a cohort and assembles.

Run as `killed_writer.py FOLDER`: leaves FOLDER/old, as it was before, FOLDER/new, as it is when
nobody is killed, and a FOLDER/killed-<n> for each of the states, with the writer's end in `exit`.
The writer looks at its files whenever one of its functions goes on, and kills itself when they have changed
for the n-th time: no clock is involved, and the same states are met every time.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import xarray as xr

import grokbench.store
from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status
from grokbench.schema import METRICS
from grokbench.store import Store
from grokbench.suite.model import Experiment, Suite

WRITERS = (
    str(Path(xr.__file__).parent / "backends" / "netCDF4_.py"),
    str(Path(grokbench.store.__file__).parent),
)
EVERY = 6
"""Of the states, so that it stays quick; and the last two, before and after the last renaming."""

EXPERIMENT = Experiment(
    name="addition",
    task=Choice("modular_addition"),
    architecture=Choice("dense"),
    recipe=Recipe(Choice("adamw"), steps=4, evaluate_every=2),
    model_sizes=(ModelSize(8),),
    data_sizes=(350,),
    seeds=(0, 1),
)
SUITE = Suite("small", {"addition": EXPERIMENT}, claims={})
PROVENANCE: dict[str, Any] = {"suite": {"name": "small", "text": ""}, "sittings": []}


def record(run: Run) -> Record:
    steps = np.array(run.recipe.evaluation_steps())
    curves = {name: np.full((steps.size, 1), run.seed, np.float32) for name in METRICS}
    curves["parameter_norm"] = np.ones(steps.size, np.float32)
    examples = {"train": (350,), "validation": (611,), "mirror_free": (100,)}
    return Record(run.id, Status.DONE, ("all",), steps, curves, examples, parameters=800)


def write(folder: Path, seed: int) -> None:
    store = Store(folder, "small")
    store.save(f"seed-{seed}", [record(run) for run in SUITE.runs().values() if run.seed == seed])
    store.assemble(SUITE, PROVENANCE)


class Changes:
    """Counts how often the files in a folder change while somebody writes."""

    def __init__(self, folder: Path, at: Callable[[int], None] = lambda number: None) -> None:
        self.places = (folder, folder / "records")
        self.at = at
        self.count = 0
        self.seen = self.look()

    def look(self) -> list[tuple[str, int]]:
        entries = [entry for place in self.places for entry in os.scandir(place)]
        return [(entry.name, entry.stat().st_size) for entry in entries]

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        writing = frame.f_code.co_filename.startswith(WRITERS)
        if writing and event in ("return", "c_return") and (now := self.look()) != self.seen:
            self.seen = now
            self.count += 1
            self.at(self.count)


def watched(folder: Path, changes: Changes) -> int:
    sys.setprofile(changes)
    write(folder, seed=1)
    sys.setprofile(None)
    return changes.count


def kill_at(folder: Path, change: int) -> int:
    """Write in a process of its own that kills itself at the change; how it ended."""

    def at(number: int) -> None:
        if number == change:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        watched(folder, Changes(folder, at))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path) -> None:
    write(folder / "old", seed=0)
    shutil.copytree(folder / "old", folder / "new")
    last = watched(folder / "new", Changes(folder / "new"))
    for change in sorted({*range(1, last, EVERY), last - 1, last}):
        killed = folder / f"killed-{change}"
        shutil.copytree(folder / "old", killed)
        (killed / "exit").write_text(str(kill_at(killed, change)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
