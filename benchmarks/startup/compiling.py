"""Times the compilation of a cohort's program, and prints seconds as JSON.

    python -m benchmarks.startup.compiling <hidden size> <runs> <device>

`benchmarks.startup` runs this in a fresh process.
"""

from __future__ import annotations

import json
import statistics
import sys

from benchmarks.contestants.trainer import Trainer
from benchmarks.setting import small
from benchmarks.timing import seconds, settle

WARM_UP, TIMED = 3, 20
"""Steps."""


def compile_cohort(size: int, runs: int, device: str) -> dict[str, float]:
    """Seconds that compilation takes, and that a step takes before and after it.

    Raises:
        RuntimeError: there is no compiler, or the compiled program disagrees with the plain one.
    """
    settle(keep_memory=True)
    # Training of one step is too short for the trainer to compile on its own.
    trainer = Trainer([small(size, seed, steps=1) for seed in range(runs)], device)
    plain = step_seconds(trainer)
    compiling = seconds(trainer.cohort.compile, device)
    if not trainer.cohort.program.compiled:
        raise RuntimeError("the program could not be compiled here")
    return {"plain": plain, "compiling": compiling, "compiled": step_seconds(trainer)}


def step_seconds(trainer: Trainer) -> float:
    for _ in range(WARM_UP):
        trainer.step()
    return statistics.median(seconds(trainer.step, trainer.device) for _ in range(TIMED))


if __name__ == "__main__":
    hidden_size, count, where = sys.argv[1:]
    print(json.dumps(compile_cohort(int(hidden_size), int(count), where)))
