"""The command `python -m studies.calibration`."""

from __future__ import annotations

from pathlib import Path

import click

from studies.calibration.runner import SEEDS, batches, rates
from studies.calibration.tables import MARKS, tables
from studies.calibration.trials import TRIALS


@click.command()
@click.option("--only", multiple=True, help="A detector or a row; all unless given.")
@click.option("--seeds", multiple=True, type=int, default=SEEDS, show_default=True)
@click.option(
    "--worlds",
    type=int,
    default=1000,
    show_default=True,
    help="Simulations for false positives at 11 seeds; the other numbers take a third or a sixth.",
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes.")
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="A document to update.",
)
def main(
    only: tuple[str, ...], seeds: tuple[int, ...], worlds: int, jobs: int, document: Path | None
) -> None:
    """Measure false positives and power, and print them as two tables.

    With --only, all other rows stay in the document as they are.
    """
    waiting = list(batches(only, seeds, worlds))
    found = {}
    for batch, rate in zip(waiting, rates(waiting, jobs), strict=True):
        found[batch] = rate
        case = "with" if batch.phenomenon else "without"
        click.echo(
            f"{TRIALS[batch.trial].name}, {case} the phenomenon, {batch.seeds} seeds, "
            f"corrected for {batch.claims} claims: {rate}",
            err=True,
        )
    click.echo(tables(found, seeds))
    if document is not None:
        _, older, _ = MARKS.split(document)
        MARKS.write(document, tables(found, seeds, older if only else ""))


if __name__ == "__main__":
    main(prog_name="python -m studies.calibration")
