"""`grokbench new-plugin`: writes a small, complete plugin package."""

from __future__ import annotations

from pathlib import Path

import click

from grokbench.cli.console import say
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
    help="What the package contains. Repeatable.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The parent folder of the package.  [default: the current folder]",
)
def new_plugin(name: str, kind: tuple[str, ...], into: Path) -> None:
    """Write a new plugin package NAME.

    NAME is the name of the package, such as grokbench-parity. The package can be installed, passes
    its tests, and has a suite to train. No existing file is overwritten.
    """
    from grokbench import scaffold

    folder = into / name
    for path in scaffold.new_plugin(name, folder, kind):
        say(str(path))
    say(
        f"Next: cd {folder}; python -m pip install --editable '.[test]'; python -m pytest; "
        f"grokbench test-plugin {name}; grokbench run suite.toml"
    )
