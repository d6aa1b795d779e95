"""One-layer training: grokbench, a plain PyTorch loop, torch.func, JAX, and what the machine can do.

    python -m benchmarks.one_layer [--sizes 8 16 32 64 100] [--rounds 7] [--steps …] [--device cpu]

All do the same optimization from the same initial weights: modular addition, P = 113, D = 3000,
full batch, AdamW, cross entropy, float32 in the IEEE sense. grokbench trains as many runs at once
as its plan puts into one cohort; torch.func and JAX as many as they are fastest with. Each has a
process of its own and they take turns; on a CPU all have one thread, on the same core. The losses
of all are compared at the end. See README.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import GROKBENCH, OTHERS, Entry, fastest_stacking
from benchmarks.contestants.trainer import Trainer
from benchmarks.machine import Floor, Rates, measure_rates
from benchmarks.setting import (
    DATA_SIZE,
    MODULUS,
    cohort_first,
    forget,
    has_jax,
    one_core,
    one_layer,
    seconds,
    settle,
)
from benchmarks.turns import Play, spread, take_turns
from grokbench.plan import Shapes
from grokbench.plugins import Plugins

STACKINGS = {"cpu": (1, 4), "cuda": (1, 32, 256)}
"""How many runs at once torch.func and JAX may choose from, beside grokbench's cohort."""

STEPS = {"cpu": 10, "cuda": 200}
"""Steps of a turn."""

AGREEMENT = 1.02
"""How far losses may lie apart: roundings differ, and training amplifies them."""


@dataclass(frozen=True)
class Turn:
    """Milliseconds per run and step, with so many runs at once; the first run's training loss."""

    runs: int
    milliseconds: float
    loss: float


@dataclass(frozen=True)
class Match:
    """One hidden size: what each contestant measured, a round each, and the machine beside them."""

    size: int
    turns: dict[str, list[Turn]]
    rates: list[Rates]
    floor: Floor
    counted: int
    """Operations per run and step of grokbench's program, as they were counted."""

    def median(self, name: str) -> str:
        if name not in self.turns:
            return "not installed"
        turns = self.turns[name]
        return f"{statistics.median(t.milliseconds for t in turns):.2f} ({turns[0].runs})"

    def times_faster(self, name: str) -> str:
        if name not in self.turns:
            return "not installed"
        pairs = zip(self.turns[name], self.turns[GROKBENCH.name], strict=True)
        return spread([theirs.milliseconds / ours.milliseconds for theirs, ours in pairs])

    def share(self) -> str:
        """Of the machine's best rate, in percent: the floor's operations, and no others."""
        pairs = zip(self.turns[GROKBENCH.name], self.rates, strict=True)
        shares = [
            self.floor.operations / (turn.milliseconds / 1e3) / rates.best for turn, rates in pairs
        ]
        return spread([100 * share for share in shares], digits=0)

    def typical(self, rate: Callable[[Rates], float]) -> float:
        return statistics.median(rate(one) for one in self.rates)


def contestant(entry: Entry, size: int, steps: int, device: str) -> Play[Turn]:
    """In the contestant's own process: made ready, with one turn behind it."""
    settle(keep_memory=entry.keeps_memory)
    kind = entry.load()
    count, runs = cohort_first(size, device)
    if entry.chooses_stacking:
        count = fastest_stacking(kind, runs, (*STACKINGS[device], count), steps, device)
    player = kind(runs[:count], device)
    player.advance(steps)
    forget(device)

    def play(steps: int) -> Turn:
        took = seconds(lambda: player.advance(steps), device)
        return Turn(player.runs, took / steps / player.runs * 1e3, player.loss())

    return play


def machine(size: int, device: str) -> Play[Rates]:
    settle(keep_memory=True)
    return measure_rates(size, cohort_first(size, device)[0], MODULUS, device)


def hold(size: int, rounds: int, steps: int, device: str) -> Match:
    entries = [entry for entry in (GROKBENCH, *OTHERS) if has_jax() or not entry.needs_jax]
    players: dict[str, Callable[[], Play[Turn | Rates]]] = {
        entry.name: partial(contestant, entry, size, steps, device) for entry in entries
    }
    players["machine"] = partial(machine, size, device)
    results = take_turns(players, rounds, steps)
    rates = [one for one in results.pop("machine") if isinstance(one, Rates)]
    turns = {name: [t for t in found if isinstance(t, Turn)] for name, found in results.items()}
    compare_losses(size, {name: found[-1].loss for name, found in turns.items()})
    parameters = Shapes.of(one_layer(size, seed=0), Plugins.load()).parameters
    return Match(
        size,
        turns,
        rates,
        Floor.of(size, parameters, DATA_SIZE, MODULUS),
        Trainer([one_layer(size, seed=0, steps=1)]).operations(),
    )


def compare_losses(size: int, losses: dict[str, float]) -> None:
    found = losses.values()
    if not all(map(math.isfinite, found)) or max(found) > AGREEMENT * min(found):
        raise SystemExit(f"size {size}: they do not do the same optimization: {losses}")


def times_table(matches: Sequence[Match]) -> Table:
    names = [entry.name for entry in (GROKBENCH, *OTHERS)]
    table = Table("hidden size", *names, box=box.MARKDOWN)
    for match in matches:
        table.add_row(str(match.size), *(match.median(name) for name in names))
    return table


def ratios_table(matches: Sequence[Match]) -> Table:
    names = [entry.name for entry in OTHERS]
    table = Table("hidden size", *names, "runs × steps per second", box=box.MARKDOWN)
    for match in matches:
        per_second = [1e3 / turn.milliseconds for turn in match.turns[GROKBENCH.name]]
        ratios = (match.times_faster(name) for name in names)
        table.add_row(str(match.size), *ratios, spread(per_second, digits=0))
    return table


def machine_table(matches: Sequence[Match]) -> Table:
    table = Table(
        "hidden size", "share of the machine's rate, %", "its rate, GFLOP/s (square)",
        "at these shapes", "floor, MFLOP", "counted, MFLOP", "floor, ms",
        "floor, MB: fused, on chip", "memory, GB/s", "fused floor, ms",
        box=box.MARKDOWN,
    )  # fmt: skip
    for match in matches:
        best = match.typical(lambda one: one.best)
        memory = match.typical(lambda one: one.memory)
        floor = match.floor
        table.add_row(
            str(match.size),
            match.share(),
            f"{best / 1e9:.0f} ({match.typical(lambda one: one.products['square']) / 1e9:.0f})",
            f"{match.typical(lambda one: one.own_shapes) / 1e9:.0f}",
            f"{floor.operations / 1e6:.1f}",
            f"{match.counted / 1e6:.1f}",
            f"{floor.operations / best * 1e3:.3f}",
            f"{floor.fused_bytes / 1e6:.1f}, {floor.on_chip_bytes / 1e6:.2f}",
            f"{memory / 1e9:.1f}",
            f"{floor.fused_bytes / memory * 1e3:.3f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 32, 64, 100])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, help="steps of each turn: 10, on a GPU 200")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    steps = arguments.steps or STEPS[arguments.device]
    where = one_core(arguments.device)
    matches = [hold(size, arguments.rounds, steps, arguments.device) for size in arguments.sizes]
    console = Console(width=240)
    console.print(
        f"P = {MODULUS}, D = {DATA_SIZE}, {where}, torch {torch.__version__}; "
        f"{arguments.rounds} rounds of {steps} steps: medians [range of the rounds]",
        markup=False,
    )
    console.print("\nMilliseconds per run and step (with so many runs at once):")
    console.print(times_table(matches))
    console.print("\nHow many times faster grokbench is than each:")
    console.print(ratios_table(matches))
    console.print("\ngrokbench against the machine, per run and step:")
    console.print(machine_table(matches))


if __name__ == "__main__":
    main()
