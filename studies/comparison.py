"""How often does `grokbench compare` see a difference that is not there, and one that is?

    python -m studies.comparison [--repetitions 7] [--first 0] [--jobs 1] [--folder build/comparison]

*False alarms*: the study trains `suites/quick-fixed.toml` several times, each time with other seeds, and
compares every pair of repetitions. Only the seeds differ, so that every difference is a false alarm.
Seven repetitions make 21 pairs; pairs share runs, so that one unusual repetition may cause several
alarms. The study also counts how many verdicts differ between repetitions, and how many of them
`compare` calls changed by more than chance.

*Detections*: a difference is planted into one cell of one repetition. Either the cell gets the runs of
the next larger model size, or its parameter norms are multiplied. In addition, one repetition of an
experiment is trained at 1.5 times the learning rate.

`--first 7` takes seven other repetitions. The study continues where it was stopped: what is in the
folder is not trained again.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path

import xarray as xr
from rich import box
from rich.console import Console
from rich.table import Table

from grokbench import Suite, Verdict, parse_suite, run_suite
from grokbench.comparison import Comparison, compare
from grokbench.statistics.intervals import share_interval

SUITE = Path(__file__).parents[1] / "suites" / "quick.toml"
REPETITIONS = 7
BETWEEN = 1000
"""The difference between the seeds of one repetition and those of the next."""

PLANTED_IN = "addition"
"""The experiment that differences are planted in."""
FACTORS = (1.05, 1.1, 1.2)


@dataclass(frozen=True, eq=False)
class Repetition:
    """One training of the suite."""

    tree: xr.DataTree
    verdicts: tuple[Verdict, ...]


def shifted(text: str, by: int) -> str:
    """The text of a suite, with `by` added to every seed."""

    def add(line: re.Match[str]) -> str:
        return f"seeds = [{', '.join(str(int(seed) + by) for seed in line[1].split(','))}]"

    return re.sub(r"^seeds = \[(.*)\]$", add, text, flags=re.MULTILINE)


def suite_of(repetition: int, learning_rate: str = "3e-3") -> Suite:
    text = shifted(SUITE.read_text(encoding="utf-8"), BETWEEN * repetition)
    text = text.replace("learning_rate = 3e-3", f"learning_rate = {learning_rate}")
    return replace(parse_suite(text, str(SUITE)), name="quick")


def trained(suite: Suite, folder: Path, jobs: int, only: Sequence[str] = ()) -> Repetition:
    sitting = run_suite(suite, folder, jobs=jobs, only=only)
    if sitting.interrupted:
        raise KeyboardInterrupt
    return Repetition(sitting.tree, sitting.verdicts)


def compared(repetitions: Sequence[Repetition]) -> dict[tuple[int, int], Comparison]:
    """Every pair of repetitions, compared."""
    return {
        (i, j): compare(one.tree, other.tree, (one.verdicts, other.verdicts))
        for (i, one), (j, other) in combinations(enumerate(repetitions), 2)
    }


def false_alarms(comparisons: Mapping[tuple[int, int], Comparison]) -> Table:
    """In which pairs a reading is told apart although only the seeds differ."""
    table = Table("pair", "told apart", "of readings", "smallest p, corrected", box=box.MARKDOWN)
    for (i, j), comparison in comparisons.items():
        cells = comparison.cells
        told = "; ".join(f"{r.experiment} {r.place}: {r.measured}" for r in cells.different)
        smallest = min(reading.corrected for reading in cells.readings)
        table.add_row(f"{i}, {j}", told or "nothing", f"{len(cells.readings)}", f"{smallest:.2g}")
    alarms = sum(bool(comparison.cells.different) for comparison in comparisons.values())
    table.add_row("all", f"{alarms} of {len(comparisons)} pairs", "", "")
    return table


def differing_verdicts(
    repetitions: Sequence[Repetition], comparisons: Mapping[tuple[int, int], Comparison]
) -> Table:
    """How often the verdicts on each claim differ, and how often by more than chance."""
    changed = Counter(pair.claim for one in comparisons.values() for pair in one.changed)
    table = Table(
        "claim", "verdicts", "pairs in which they differ", "beyond chance", box=box.MARKDOWN
    )
    for verdicts in zip(*(one.verdicts for one in repetitions), strict=True):
        outcomes = [verdict.outcome for verdict in verdicts]
        differing = sum(a is not b for a, b in combinations(outcomes, 2))
        name = verdicts[0].claim.name
        listed = (f"{n} {outcome.description}" for outcome, n in Counter(outcomes).most_common())
        pairs = f"{differing} of {len(comparisons)}"
        table.add_row(name, ", ".join(listed), pairs, f"{changed[name]}")
    return table


def places(tree: xr.DataTree) -> Iterator[tuple[int, int]]:
    """The cells that have a next larger model size, as places along model size and data size."""
    sizes = tree[PLANTED_IN].sizes
    for size in range(sizes["model_size"] - 1):
        for data_size in range(sizes["data_size"]):
            yield size, data_size


def grafted(tree: xr.DataTree, size: int, data_size: int) -> xr.DataTree:
    """A copy in which one cell has the runs of the next larger model size."""

    def graft(data: xr.Dataset) -> None:
        for name, variable in data.data_vars.items():
            if name != "run_id":
                there = {"model_size": size + 1, "data_size": data_size}
                data[name][{"model_size": size, "data_size": data_size}] = variable[there]

    return edited(tree, graft)


def heavier(factor: float, tree: xr.DataTree, size: int, data_size: int) -> xr.DataTree:
    """A copy in which the parameter norms of one cell are multiplied."""

    def grow(data: xr.Dataset) -> None:
        data["parameter_norm"][{"model_size": size, "data_size": data_size}] *= factor

    return edited(tree, grow)


def edited(tree: xr.DataTree, edit: Callable[[xr.Dataset], None]) -> xr.DataTree:
    data = tree[PLANTED_IN].to_dataset().copy(deep=True)
    edit(data)
    groups = {str(name): group.to_dataset() for name, group in tree.children.items()}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=tree.attrs), **groups, PLANTED_IN: data})


PLANTS: Mapping[str, Callable[[xr.DataTree, int, int], xr.DataTree]] = {
    "the runs of the next larger model size": grafted,
    **{f"{factor} × the parameter norm": partial(heavier, factor) for factor in FACTORS},
}


def detections(repetitions: Sequence[Repetition]) -> Table:
    """How many planted differences are found, and how often another difference is seen as well."""
    table = Table(
        "planted in one cell", "found", "95 % interval", "seen elsewhere", box=box.MARKDOWN
    )
    for kind, plant in PLANTS.items():
        found = elsewhere = count = 0
        for one, other in pairwise(repetitions):
            for place in places(other.tree):
                data = other.tree[PLANTED_IN]
                cell = {
                    "model_size": str(data.model_size.values[place[0]]),
                    "data_size": str(data.data_size.values[place[1]]),
                }
                told = compare(one.tree, plant(other.tree, *place)).cells.different
                there = [r for r in told if (r.experiment, dict(r.cell)) == (PLANTED_IN, cell)]
                found, elsewhere = found + bool(there), elsewhere + (len(told) > len(there))
                count += 1
        share = share_interval(found / count, count)
        interval = f"{share.low:.2f} to {share.high:.2f}"
        table.add_row(kind, f"{found} of {count}", interval, f"{elsewhere} of {count}")
    return table


def at_another_rate(repetitions: Sequence[Repetition], folder: Path, jobs: int) -> Table:
    """One repetition at another learning rate, compared with each of the others."""
    suite = suite_of(len(repetitions), learning_rate="4.5e-3")
    odd = trained(suite, folder / "faster", jobs, [PLANTED_IN])
    table = Table("4.5e-3 against 3e-3, in repetition", "readings told apart", box=box.MARKDOWN)
    for number, repetition in enumerate(repetitions):
        cells = compare(repetition.tree, odd.tree).cells
        table.add_row(str(number), f"{len(cells.different)} of {len(cells.readings)}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m studies.comparison", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--first", type=int, default=0, help="the number of the first repetition")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes of the training")
    parser.add_argument("--folder", type=Path, default=Path("build/comparison"))
    chosen = parser.parse_args()
    repetitions = []
    for number in range(chosen.first, chosen.first + chosen.repetitions):
        print(f"repetition {number} …", flush=True)
        repetitions.append(trained(suite_of(number), chosen.folder / str(number), chosen.jobs))
    out = Console(width=140)
    comparisons = compared(repetitions)
    out.print(false_alarms(comparisons))
    out.print(differing_verdicts(repetitions, comparisons))
    out.print(detections(repetitions))
    out.print(at_another_rate(repetitions, chosen.folder, chosen.jobs))


if __name__ == "__main__":
    main()
