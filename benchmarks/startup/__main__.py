"""How long training takes to reach its first step, and how long compilation takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.timing import options
from grokbench.plan import Cohort, Shapes, lay_out, shape_of
from grokbench.suite import load_suite
from grokbench.training.compiling import pays

STARTS = {
    "dense, one layer of 32": ("dense", 32, 1, 40_000),
    "a plugin's nn.Module, 32": ("third_party", 32, 1, 40_000),
    "dense, four layers of 64, 100 steps": ("dense", 64, 4, 100),
    "dense, four layers of 64, 40 000 steps": ("dense", 64, 4, 40_000),
}
"""Name → architecture, hidden size, layers, steps. Training of 40 000 steps is long enough to be
compiled before it starts."""

PHASES = (
    "Python",
    "import torch",
    "plugins",
    "examples, models, program",
    "first step",
    "second step",
)
"""The names that `benchmarks.startup.first_step` prints."""

COMPILED = {"8, ten runs": (8, 10), "16, four runs": (16, 4), "48, one run": (48, 1)}
"""Name → hidden size and runs of a cohort, about as in suites/quick.toml."""


def fresh(module: str, *arguments: object, cache: str) -> str:
    """The last line that `module` prints in a process of its own; `cache` keeps compiled kernels."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(  # noqa: S603 (our own module)
        command,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.splitlines()[-1]


def phases(start: tuple[str, int, int, int], device: str, cache: str) -> dict[str, float]:
    """Phase → seconds, from the start of the process to the second step."""
    begun = time.time()
    ended = json.loads(fresh("benchmarks.startup.first_step", *start, device, cache=cache))
    starts = [begun, *ended.values()]
    return {name: end - start for (name, end), start in zip(ended.items(), starts, strict=False)}


def starting_table(rounds: int, device: str) -> Table:
    table = Table(
        "three runs of", *PHASES, "until the first step", "again, with caches", box=box.MARKDOWN
    )
    for name, start in STARTS.items():
        first, again = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                first.append(phases(start, device, cache))
                again.append(phases(start, device, cache))
        typical = [statistics.median(row[phase] for row in first) for phase in PHASES]
        until = [
            statistics.median(sum(row.values()) - row["second step"] for row in rows)
            for rows in (first, again)
        ]
        table.add_row(name, *(f"{value:.2f}" for value in [*typical, *until]))
    return table


def compiling_table(device: str) -> Table:
    table = Table(
        "cohort", "compiling, s", "again, with caches, s", "a step, ms", "compiled, ms",
        "steps until it has paid", box=box.MARKDOWN,
    )  # fmt: skip
    for name, cohort in COMPILED.items():
        try:
            with tempfile.TemporaryDirectory() as cache:
                first, again = (
                    json.loads(fresh("benchmarks.startup.compiling", *cohort, device, cache=cache))
                    for _ in range(2)
                )
        except RuntimeError as error:
            table.add_row(name, str(error))
            continue
        gain = first["plain"] - first["compiled"]
        table.add_row(
            name,
            f"{first['compiling']:.1f}",
            f"{again['compiling']:.1f}",
            f"{first['plain'] * 1e3:.2f}",
            f"{first['compiled'] * 1e3:.2f}",
            f"{first['compiling'] / gain:.0f}" if gain > 0 else "never",
        )
    return table


def compilations(suite: Path, device: str) -> str:
    """How many cohorts and shapes a suite has, and how many of them are compiled, in words."""
    loaded = load_suite(suite)
    plugins = loaded.plugins
    cohorts = lay_out(loaded.runs().values(), plugins, device)
    paying = [
        cohort
        for cohort in cohorts
        if pays(cohort.runs, Shapes.of(cohort.runs[0], plugins).parameters, torch.device(device))
    ]
    return (
        f"{suite} has {len(cohorts)} cohorts of {len(set(map(shape, cohorts)))} shapes; "
        f"{len(paying)}, of {len(set(map(shape, paying)))} shapes, train long enough to be compiled"
    )


def shape(cohort: Cohort) -> tuple[str, int, int]:
    """A key that is equal for cohorts that can share a compiled program."""
    return shape_of(cohort.runs[0]), len(cohort.runs), max(run.data_size for run in cohort.runs)


def main() -> None:
    parser = options(__doc__, rounds=3)
    parser.add_argument("--suite", type=Path, default=Path("suites/quick.toml"))
    parser.add_argument("--no-compiling", action="store_true", help="leave out the second table")
    chosen = parser.parse_args()
    console = Console(width=240)
    console.print(f"Seconds on {chosen.device}, one thread; {chosen.rounds} rounds: medians")
    console.print(starting_table(chosen.rounds, chosen.device))
    if chosen.no_compiling:
        return
    console.print(f"\nCompiling (P = 31, D = 500); {compilations(chosen.suite, chosen.device)}:")
    console.print(compiling_table(chosen.device))


if __name__ == "__main__":
    main()
