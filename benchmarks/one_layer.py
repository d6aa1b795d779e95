"""How fast one-layer training is: grokbench, a plain PyTorch loop, torch.func, JAX, the machine itself.

    python -m benchmarks.one_layer [--sizes 8 16 32 64 100] [--rounds 7] [--steps …] [--device cpu]

All contestants do the same optimization from the same initial weights: modular addition, P = 113,
D = 3000, full batch, AdamW, cross entropy, IEEE float32. The losses of all are compared at the end.
README.md says how the contestants are made comparable.
"""

from __future__ import annotations

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
from benchmarks.setting import DATA_SIZE, MODULUS, cohort_first, one_layer
from benchmarks.timing import forget, one_core, options, seconds, settle, spread
from benchmarks.turns import Play, take_turns
from grokbench.plan import Shapes
from grokbench.plugins import Plugins

STACKINGS = {"cpu": (1, 4), "cuda": (1, 32, 256)}
"""Numbers of stacked runs that torch.func and JAX may choose, beside that of grokbench's cohort."""

STEPS = {"cpu": 10, "cuda": 200}
"""Steps in a turn."""

AGREEMENT = 1.02
"""The largest allowed ratio of two losses: roundings differ, and training amplifies them."""


@dataclass(frozen=True)
class Turn:
    """What one turn of a contestant measured."""

    runs: int
    """How many are trained at once."""
    milliseconds: float
    """For each run and step."""
    loss: float
    """The first run's training loss."""


@dataclass(frozen=True)
class Match:
    """One hidden size: what each contestant and the machine measured, round by round."""

    size: int
    turns: dict[str, list[Turn]]
    rates: list[Rates]
    floor: Floor
    counted: int
    """Operations of grokbench's program for each run and step, counted while it ran."""

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
        """The share of the machine's best rate, in percent. Only the floor's operations count."""
        pairs = zip(self.turns[GROKBENCH.name], self.rates, strict=True)
        shares = [
            self.floor.operations / (turn.milliseconds / 1e3) / rates.best for turn, rates in pairs
        ]
        return spread([100 * share for share in shares], digits=0)

    def typical(self, rate: Callable[[Rates], float]) -> float:
        return statistics.median(rate(one) for one in self.rates)


def contestant(entry: Entry, size: int, steps: int, device: str) -> Play[Turn]:
    """Make the contestant ready in its own process, and play one turn to warm up."""
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


def play_match(size: int, rounds: int, steps: int, device: str) -> Match:
    entries = [entry for entry in (GROKBENCH, *OTHERS) if entry.installed]
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
        raise SystemExit(f"size {size}: contestants do not do the same optimization: {losses}")


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
    parser = options(__doc__, rounds=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 32, 64, 100])
    parser.add_argument("--steps", type=int, help="steps of each turn: 10, on a GPU 200")
    arguments = parser.parse_args()
    steps = arguments.steps or STEPS[arguments.device]
    where = one_core(arguments.device)
    matches = [
        play_match(size, arguments.rounds, steps, arguments.device) for size in arguments.sizes
    ]
    console = Console(width=240)
    console.print(
        f"P = {MODULUS}, D = {DATA_SIZE}, {where}, torch {torch.__version__}; "
        f"{arguments.rounds} rounds of {steps} steps: medians [range of the rounds]",
        markup=False,
    )
    console.print(
        "\nMilliseconds per run and step (in brackets the number of runs trained at once):"
    )
    console.print(times_table(matches))
    console.print("\nHow many times faster grokbench is than each:")
    console.print(ratios_table(matches))
    console.print("\ngrokbench against the machine, per run and step:")
    console.print(machine_table(matches))


if __name__ == "__main__":
    main()
