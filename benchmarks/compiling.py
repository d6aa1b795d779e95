"""Times the compilation of a cohort's program in a fresh process, and prints seconds as JSON.

    python -m benchmarks.compiling <hidden size> <runs> <device>

Run by `benchmarks.startup`.
"""

from __future__ import annotations

import json
import statistics
import sys

from benchmarks.contestants.trainer import Trainer
from benchmarks.setting import one_layer, seconds, settle

WARM_UP, TIMED = 3, 20
"""Steps."""


def compile_cohort(size: int, runs: int, device: str) -> dict[str, float]:
    """Seconds: what compilation takes, and a step before and after, in the world of quick.toml.

    Raises:
        RuntimeError: there is no compiler, or what it made disagrees.
    """
    settle(keep_memory=True)
    # Too short to be compiled without being asked.
    cohort = [one_layer(size, seed, modulus=31, data_size=500, steps=1) for seed in range(runs)]
    trainer = Trainer(cohort, device)
    descent = trainer.descent
    plain = step_seconds(trainer)
    compiling = seconds(descent.compile, device)
    if not descent.program.compiled:
        raise RuntimeError("it could not be compiled here")
    return {"plain": plain, "compiling": compiling, "compiled": step_seconds(trainer)}


def step_seconds(trainer: Trainer) -> float:
    for _ in range(WARM_UP):
        trainer.step()
    return statistics.median(seconds(trainer.step, trainer.device) for _ in range(TIMED))


if __name__ == "__main__":
    hidden_size, count, where = sys.argv[1:]
    print(json.dumps(compile_cohort(int(hidden_size), int(count), where)))
