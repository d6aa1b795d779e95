"""`grokbench compare`: two results, claim by claim and cell by cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench.amounts import count
from grokbench.cli import options
from grokbench.cli.console import console, print_json, table
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.judged import judge
from grokbench.cli.verdicts import spelled

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from grokbench.claims import Verdict
    from grokbench.comparison import CellComparison, Comparison, Contrast, VerdictPair

SHOWN = 40
"""So many cells are listed, and so many lines of a suite; `--json` has them all."""


@click.command()
@click.argument("first", metavar="A", type=click.Path(exists=True, path_type=Path))
@click.argument("second", metavar="B", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--suite",
    type=options.EXISTING_FILE,
    metavar="SUITE",
    help="Judge both by the claims of this file, not each by those that it carries.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 whenever a verdict is another one.")
@options.plugin_files
@options.as_json
@click.pass_context
def compare(
    context: click.Context,
    first: Path,
    second: Path,
    suite: Path | None,
    strict: bool,
    plugin: tuple[Path, ...],
    json: bool,
) -> None:
    """Compare the results A and B: verdicts, cells, and where they come from.

    Each is a dataset, or the folder it is in: of other versions, devices or seeds. Claims and
    experiments are compared by name. The exit code is 1 when a verdict changed by more than chance
    explains; cells that differ by more than their seeds explain are shown, and change nothing about
    it.
    """
    from grokbench.comparison import compare as compared

    (one, verdicts), (other, others) = (scored(path, suite, plugin) for path in (first, second))
    comparison = compared(one, other, (verdicts, others))
    if json:
        print_json(comparison.document())
    else:
        out = console()
        out.print(f"A: {first}\nB: {second}", soft_wrap=True)
        print_verdict_pairs(out, comparison.verdicts)
        print_cells(out, comparison.cells)
        print_provenance(out, comparison)
    if comparison.changed or (strict and any(pair.differs for pair in comparison.verdicts)):
        context.exit(ExitCode.VERDICT_CHANGED)


def scored(
    results: Path, suite: Path | None, files: tuple[Path, ...]
) -> tuple[xr.DataTree, tuple[Verdict, ...]]:
    """Results as they are, judged by the claims that they carry, or by those of the file `suite`.

    Other than `judge`, that file says nothing of which runs belong to them: seeds may differ.
    """
    from grokbench.claims import score
    from grokbench.store import open_results
    from grokbench.suite import load_suite

    if suite is None:
        judged = judge(results, None, files)
        return judged.tree, judged.verdicts
    tree, asked = open_results(results), load_suite(suite, files)
    return tree, score(asked, tree, asked.plugins.detectors)


def print_verdict_pairs(out: Console, pairs: tuple[VerdictPair, ...]) -> None:
    """One row a claim, then what changed, and why."""
    from rich.text import Text

    def told(verdict: Verdict | None) -> Text:
        if verdict is None:
            return Text("no such claim", style="dim")
        words = f"{verdict.outcome.description} {spelled(verdict.finding)}".rstrip()
        return Text(words, style=verdict.outcome.style)

    if not pairs:
        out.print("\nNeither suite claims anything.")
        return
    listed = table("claim", "A", "B", "")
    for pair in pairs:
        news = Text("changed", "bold red") if pair.changed else Text("by chance?", "yellow")
        listed.add_row(
            pair.claim, told(pair.first), told(pair.second), news if pair.differs else Text()
        )
    out.print()
    out.print(listed)
    out.print()
    for pair in pairs:
        if pair.rewritten:
            out.print(
                f"{pair.claim}: the suites do not ask the same ({', '.join(pair.rewritten)}); "
                f"--suite judges both by one"
            )
        if pair.differs and pair.first and pair.second:
            out.print(f"{pair.claim}: A, {pair.first.reason}")
            out.print(f"{pair.claim}: B, {pair.second.reason}")
            if not pair.changed:
                out.print(f"{pair.claim}: the intervals overlap, so seeds alone may explain it")
    both = sum(1 for pair in pairs if pair.first and pair.second)
    changed = sum(pair.changed for pair in pairs)
    differing = sum(pair.differs for pair in pairs) - changed
    by_chance = f"; {differing} more may differ by chance" if differing else ""
    out.print(f"{changed} of {count(both, 'verdict')} changed{by_chance}.")


def print_cells(out: Console, cells: CellComparison) -> None:
    """What was compared, what of it differs, and what could not have been seen."""
    overlap, different = cells.overlap, cells.different
    for side, alone in (("A", overlap.only_first), ("B", overlap.only_second)):
        if alone:
            names = ", ".join(f"{cells} of {name}" for name, cells in alone.items())
            out.print(f"Only {side} has runs in: {names}.")
    if not overlap.cells:
        out.print("There is no cell in which both have runs.")
        return
    if overlap.shared_runs:
        out.print(
            f"{overlap.identical_runs} of {count(overlap.shared_runs, 'run')} that both have are "
            f"equal bit by bit."
        )
    if overlap.identical_cells == overlap.cells:
        out.print(f"All of {count(overlap.cells, 'cell')} are the same: nothing to compare.")
        return
    compared = len(cells.readings)
    apart = f"{len(different)} of {count(compared, 'reading')} in "
    apart += count(overlap.cells - overlap.identical_cells, "cell")
    out.print(
        f"{apart} differ by more than seeds explain "
        f"(the chance of any false alarm is at most {cells.level:g})."
    )
    if different:
        listed = table("experiment", "cell", "measured", "A", "B", "p, corrected")
        for one in different[:SHOWN]:
            measured = f"{one.measured} ({one.part})" if one.part else one.measured
            listed.add_row(
                one.experiment,
                one.place,
                measured.replace("_", " "),
                f"{value(one.first)} ({one.seeds[0]})",
                f"{value(one.second)} ({one.seeds[1]})",
                f"{one.corrected:.2g}",
            )
        out.print()
        out.print(listed)
        out.print()
        if len(different) > SHOWN:
            out.print(f"… and {len(different) - SHOWN} more; --json has them all.")
    for seeds in cells.seeds:
        of = f"{seeds.first} against {count(seeds.second, 'seed')} ({count(seeds.cells, 'cell')})"
        if math.isinf(seeds.visible_gap):
            out.print(
                f"{of}: too few to tell anything apart, however much it differs; relabelling gives "
                f"no p below {seeds.smallest_p:.2g}, before any correction."
            )
        else:
            out.print(
                f"{of}: what lies {seeds.visible_gap:.1f} standard deviations apart, or more, "
                f"would be told apart."
            )
    if overlap.shared_seeds:
        out.print(
            "Runs of the same seed begin alike; where A and B share seeds, they differ less by "
            "chance than is allowed for, and false alarms are rarer still."
        )


def value(number: float) -> str:
    return "never" if math.isinf(number) else f"{number:.4g}"


def print_provenance(out: Console, comparison: Comparison) -> None:
    """Where the two come from, as far as that differs; and the suites' texts."""
    if not comparison.provenance and not comparison.suite:
        out.print("Versions, devices, suites and recipes are the same.")
        return
    if comparison.provenance:
        listed = table("differs", "A", "B")
        for one in comparison.provenance:
            listed.add_row(one.name, *sides(one))
        out.print()
        out.print(listed)
    if comparison.suite:
        lines = comparison.suite[:SHOWN]
        out.print("\nThe suites' texts differ:")
        out.print("\n".join(f"    {line}" for line in lines), soft_wrap=True)
        if len(comparison.suite) > SHOWN:
            out.print(f"    … and {len(comparison.suite) - SHOWN} more lines; --json has them all.")


def sides(contrast: Contrast) -> tuple[str, str]:
    return "; ".join(contrast.first), "; ".join(contrast.second)
