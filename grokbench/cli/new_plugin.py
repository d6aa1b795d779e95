"""`grokbench new-plugin`: a complete small package to start from."""

from __future__ import annotations

from pathlib import Path

import click

from grokbench.schema import DEFINITION_KINDS

KINDS = (*DEFINITION_KINDS, "command")


@click.command("new-plugin")
@click.argument("name", metavar="NAME")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    multiple=True,
    default=("task", "architecture", "detector"),
    show_default=True,
    help="What it begins with; may be given again.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The folder in which its own is made.  [default: this one]",
)
def new_plugin(name: str, kind: tuple[str, ...], into: Path) -> None:
    """Make a plugin package NAME that installs, passes its tests and runs in a suite.

    NAME is the package's, such as grokbench-parity. Nothing that is there is overwritten.
    """
    from grokbench import scaffold

    folder = into / name
    for path in scaffold.new_plugin(name, folder, kind):
        click.echo(str(path))
    click.echo(
        f"Now: cd {folder}; python -m pip install --editable '.[test]'; python -m pytest; "
        f"grokbench test-plugin {name}; grokbench run suite.toml"
    )
