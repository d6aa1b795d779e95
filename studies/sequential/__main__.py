"""The command `python -m studies.sequential`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from studies.sequential.decisions import WORLDS
from studies.sequential.runner import Outcomes, missing, simulated
from studies.sequential.tables import MARKS, SUITES, tables
from studies.sequential.world import World

EVERY = (*SUITES, *WORLDS)


@click.command()
@click.option("--only", multiple=True, help="A world's key, or how keys begin; all unless given.")
@click.option("--suites", default=2000, show_default=True, help="Simulated suites of each kind.")
@click.option(
    "--worlds",
    default=200,
    show_default=True,
    help="Simulations of each world with a single claim; slow ones take a half or a quarter.",
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/sequential"),
    show_default=True,
    help="Keeps the outcomes. Delete it when detectors or the judging have changed.",
)
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="A document to update.",
)
def main(
    only: tuple[str, ...], suites: int, worlds: int, jobs: int, folder: Path, document: Path | None
) -> None:
    """Measure errors and costs of sequential suites, and print them as tables.

    What is in the folder is not simulated again, and all of it is in the tables. With `--suites 0 --worlds 0`,
    nothing is simulated, and the tables show what is there. With `--write`, the rows of kinds of suites that
    the folder does not have stay in the document as they are.
    """
    chosen = [world for world in EVERY if not only or world.key.startswith(only)]
    for group, simulations in ((SUITES, suites), (WORLDS, worlds)):
        run([world for world in chosen if world in group], folder, simulations, jobs)
    found = {world.key: list(Outcomes(world, folder).read().values()) for world in EVERY}
    before = "" if document is None else MARKS.split(document)[1]
    text = tables(found, before)
    click.echo(text)
    if document is not None:
        MARKS.write(document, text)


def run(worlds: Sequence[World], folder: Path, simulations: int, jobs: int) -> None:
    work = list(missing(worlds, folder, simulations))
    for done, (world, number) in enumerate(simulated(iter(work), folder, jobs), start=1):
        if done % 50 == 0 or done == len(work):
            click.echo(f"{done} of {len(work)}: {world.key}, {number}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m studies.sequential")
