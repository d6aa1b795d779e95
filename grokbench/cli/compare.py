"""`grokbench compare`: two results, claim by claim and cell by cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench.amounts import count
from grokbench.cli import options
from grokbench.cli.console import console, print_json, say, say_what_is_done, table
from grokbench.cli.exit_code import ExitCode
from grokbench.cli.judged import judge, open_and_tell
from grokbench.cli.verdicts import spelled

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from grokbench.claims import Verdict
    from grokbench.comparison import CellComparison, Comparison, Contrast, Reading, VerdictPair
    from grokbench.comparison.pairing import Overlap

SHOWN = 40
"""The most readings, and the most lines of a suite, that are listed; `--json` has all."""


@click.command()
@click.argument("first", metavar="A", type=click.Path(exists=True, path_type=Path))
@click.argument("second", metavar="B", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--suite",
    type=options.EXISTING_FILE,
    metavar="SUITE",
    help="Judge both by the claims of this file instead of the claims stored in each. The plugins that "
    "the file names are executed.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 whenever a verdict differs, even where chance may explain it.",
)
@options.plugin_files
@options.trust_plugins
@options.as_json
@click.pass_context
def compare(
    context: click.Context,
    first: Path,
    second: Path,
    suite: Path | None,
    strict: bool,
    plugin: tuple[Path, ...],
    trust_plugins: bool,
    json: bool,
) -> None:
    """Compare the results A and B: verdicts, cells and provenance.

    A and B are datasets, or the folders they are in. Their versions, devices and seeds may differ.
    Claims and experiments are matched by name. The exit code is 1 when a verdict changed by more
    than chance explains. Cells that differ by more than their seeds explain are listed; they do
    not affect the exit code. Plugins that A or B name are not executed unless --suite, --plugin or
    --trust-plugins asks for it; claims that need them are then not judged.
    """
    say_what_is_done(f"Reading {first} and {second}")
    from grokbench.comparison import compare as compared

    (one, verdicts), (other, others) = (
        scored(path, suite, plugin, trust=trust_plugins) for path in (first, second)
    )
    comparison = compared(one, other, (verdicts, others))
    if json:
        print_json(comparison.document())
    else:
        out = console()
        out.print(f"A: {first}", soft_wrap=True)
        out.print(f"B: {second}", soft_wrap=True)
        print_verdict_pairs(out, comparison.verdicts)
        print_cells(out, comparison.cells)
        print_provenance(out, comparison)
    if comparison.changed or (strict and any(pair.differs for pair in comparison.verdicts)):
        context.exit(ExitCode.VERDICT_CHANGED)


def scored(
    results: Path, suite: Path | None, files: tuple[Path, ...], *, trust: bool
) -> tuple[xr.DataTree, tuple[Verdict, ...]]:
    """Results with the verdicts on the claims that they carry, or on those of the file `suite`.

    Unlike in `judge`, the file does not decide which runs belong to the results: it may name other
    seeds than those that were trained.
    """
    from grokbench.claims import score
    from grokbench.claims.changes import plugin_warnings
    from grokbench.suite import load_suite

    if suite is None:
        judged = judge(results, None, files, trust=trust)
        return judged.tree, judged.verdicts
    tree, asked = open_and_tell(results), load_suite(suite, files)
    for warning in plugin_warnings(asked, tree):
        say(f"{results}: {warning}", err=True)
    return tree, score(asked, tree, asked.plugins.detectors)


def print_verdict_pairs(out: Console, pairs: tuple[VerdictPair, ...]) -> None:
    """One row for each claim, then the reasons of the verdicts that differ."""
    from rich.text import Text

    def told(verdict: Verdict | None) -> Text:
        if verdict is None:
            return Text("no such claim", style="dim")
        words = f"{verdict.outcome.description} {spelled(verdict.finding)}".rstrip()
        marked = " (!)" if verdict.changes else ""
        return Text.assemble((words, verdict.outcome.style), (marked, "bold red"))

    if not pairs:
        out.print()
        out.print("Neither suite makes claims.")
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
                f"{pair.claim}: the two suites define this claim differently "
                f"({', '.join(pair.rewritten)}); --suite FILE judges both by one suite"
            )
        for side, verdict in (("A", pair.first), ("B", pair.second)):
            for change in verdict.changes if verdict else ():
                out.print(f"(!) {pair.claim}: {side}, {change}")
        if pair.differs and pair.first and pair.second:
            out.print(f"{pair.claim}: A, {pair.first.reason}")
            out.print(f"{pair.claim}: B, {pair.second.reason}")
            if not pair.changed:
                out.print(f"{pair.claim}: the intervals overlap, so the difference may be chance")
    both = sum(1 for pair in pairs if pair.first and pair.second)
    changed = sum(pair.changed for pair in pairs)
    differing = sum(pair.differs for pair in pairs) - changed
    by_chance = f"; {differing} more may differ by chance" if differing else ""
    out.print(f"{changed} of {count(both, 'verdict')} changed{by_chance}.")


def print_cells(out: Console, cells: CellComparison) -> None:
    """What was compared, which readings differ, and which differences could not be detected."""
    from grokbench.claims.words import percent

    overlap = cells.overlap
    print_overlap(out, overlap)
    compared = overlap.cells - overlap.identical_cells
    if not compared:
        return
    out.print(
        f"{len(cells.different)} of {count(len(cells.readings), 'reading')} in "
        f"{count(compared, 'cell')} differ by more than seeds explain "
        f"(the probability of any false alarm is at most {percent(cells.level)})."
    )
    if cells.different:
        print_readings(out, cells.different)
    for one in cells.one_sided:
        part = f" ({one.part})" if one.part else ""
        out.print(
            f"Only {one.side} has the reading {one.measured}{part} in {count(one.cells, 'cell')} of "
            f"{one.experiment}: it is not compared."
        )
    for seeds in cells.seeds:
        of = f"{seeds.first} against {count(seeds.second, 'seed')} ({count(seeds.cells, 'cell')})"
        if math.isinf(seeds.visible_gap):
            out.print(
                f"{of}: too few to detect any difference; relabelling gives no p value below "
                f"{seeds.smallest_p:.2g}, even before correction."
            )
        else:
            out.print(
                f"{of}: a difference of {seeds.visible_gap:.1f} standard deviations or more would "
                f"be detected."
            )
    if overlap.shared_seeds:
        out.print(
            "A and B share seeds. Runs of one seed start from the same weights and examples, so "
            "they differ less by chance than the test assumes: false alarms are rarer than stated, "
            "and fewer differences are detected."
        )


def print_overlap(out: Console, overlap: Overlap) -> None:
    """What only one of the two has, and what both have bit by bit."""
    for side, alone in (("A", overlap.only_first), ("B", overlap.only_second)):
        if alone:
            names = ", ".join(f"{count(cells, 'cell')} of {name}" for name, cells in alone.items())
            out.print(f"Only {side} has runs in {names}.")
    if not overlap.cells:
        out.print("There is no cell in which both have runs.")
        return
    if overlap.shared_runs:
        out.print(
            f"{overlap.identical_runs} of {count(overlap.shared_runs, 'run')} that both have are "
            f"equal bit by bit."
        )
    if overlap.identical_cells == overlap.cells:
        out.print(
            f"{overlap.identical_cells} of {count(overlap.cells, 'cell')} are identical: there is "
            f"nothing left to compare."
        )


def print_readings(out: Console, readings: Sequence[Reading]) -> None:
    """One row for each reading, with the number of seeds of A and of B in parentheses."""
    listed = table("experiment", "cell", "measured", "A", "B", "p, corrected")
    for one in readings[:SHOWN]:
        measured = f"{one.measured} ({one.part})" if one.part else one.measured
        listed.add_row(
            one.experiment,
            one.place,
            measured.replace("_", " "),
            f"{value(one.measured, one.first)} ({one.seeds[0]})",
            f"{value(one.measured, one.second)} ({one.seeds[1]})",
            f"{one.corrected:.2g}",
        )
    out.print()
    out.print(listed)
    out.print()
    if len(readings) > SHOWN:
        out.print(f"… and {len(readings) - SHOWN} more; --json has them all.")


def value(measured: str, number: float) -> str:
    """The number with four digits; a step that was not reached is `never`."""
    from grokbench.comparison.readings import STEPS

    if math.isnan(number):
        return "–"
    if math.isinf(number):
        return "never" if measured in STEPS else "∞" if number > 0 else "−∞"
    return f"{number:.4g}"


def print_provenance(out: Console, comparison: Comparison) -> None:
    """What differs in the provenance of the two, and in the texts of their suites."""
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
        out.print()
        out.print("The suites' texts differ:")
        for line in lines:
            out.print(f"    {line}", soft_wrap=True)
        if len(comparison.suite) > SHOWN:
            out.print(f"    … and {len(comparison.suite) - SHOWN} more lines; --json has them all.")


def sides(contrast: Contrast) -> tuple[str, str]:
    return "; ".join(contrast.first), "; ".join(contrast.second)
