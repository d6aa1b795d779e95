"""Takes one step, and prints as JSON when each phase until then ended.

    python -m benchmarks.startup.first_step <architecture> <hidden size> <layers> <steps> <device>

`benchmarks.startup` runs this in a fresh process. Imports stand inside `main`, so that they are timed.
"""

from __future__ import annotations

import json
import sys
import time


def main(architecture: str, size: int, layers: int, steps: int, device: str) -> dict[str, float]:
    """Phase → the time of day at which it ended, in order."""
    ended = {"Python": time.time()}
    import torch

    torch.set_num_threads(1)
    ended["import torch"] = time.time()
    from dataclasses import replace
    from pathlib import Path

    from grokbench.plugins import Plugins
    from grokbench.record import Choice

    plugins = Plugins.load([Path(__file__).with_name("third_party.py")])
    for catalogue in (plugins.tasks, plugins.architectures, plugins.optimizers):
        list(catalogue)
    ended["plugins"] = time.time()
    from benchmarks.contestants.trainer import Trainer
    from benchmarks.setting import one_layer
    from benchmarks.timing import synchronize

    runs = [one_layer(size, seed, layers=layers, steps=steps) for seed in range(3)]
    runs = [replace(run, architecture=Choice(architecture)) for run in runs]
    trainer = Trainer(runs, device, plugins)
    synchronize(device)
    ended["examples, models, program"] = time.time()
    trainer.advance(1)
    ended["first step"] = time.time()
    trainer.advance(1)
    ended["second step"] = time.time()
    return ended


if __name__ == "__main__":
    name, hidden_size, depth, length, where = sys.argv[1:]
    print(json.dumps(main(name, int(hidden_size), int(depth), int(length), where)))
