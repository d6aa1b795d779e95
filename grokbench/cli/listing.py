"""`grokbench list`: the definitions, plugins and suites that can be used."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grokbench.cli import options
from grokbench.cli.console import console, print_json, say, say_what_is_done, styled, table
from grokbench.errors import SuiteError
from grokbench.schema import DEFINITION_KINDS
from grokbench.toml import parse_toml, read_text

if TYPE_CHECKING:
    from rich.text import Text

    from grokbench.definition import Definition
    from grokbench.plugins import Plugins

KINDS = tuple(f"{kind}s" for kind in DEFINITION_KINDS)
"""The kinds of definitions, in the plural: the attributes of `Plugins` that list them."""

Rows = list[dict[str, Any]]


@click.command("list")
@click.argument(
    "kind",
    type=click.Choice([*KINDS, "plugins", "suites"]),
    metavar="KIND",
)
@options.plugin_files
@options.as_json
@click.pass_context
def listing(context: click.Context, kind: str, plugin: tuple[Path, ...], json: bool) -> None:
    """List all definitions of one KIND with their origin.

    KIND is tasks, architectures, optimizers, measures, detectors, plugins or suites. Suites are
    searched in the current folder and in `suites/`.
    """
    rows = rows_of(kind, context, plugin)
    if json:
        print_json(rows)
    elif rows:
        listed = table(*rows[0])
        for row in rows:
            listed.add_row(*map(cell, row.values()))
        console().print(listed)
    else:
        say(f"There are no {kind} here.")


def rows_of(kind: str, context: click.Context, files: tuple[Path, ...]) -> Rows:
    if kind == "suites":
        return suites((Path(), Path("suites")))
    say_what_is_done("Loading the plugins")
    from grokbench.plugins import Plugins

    plugins = Plugins.load(files)
    if kind == "plugins":
        cli = context.find_root().command
        assert isinstance(cli, click.Group)
        return [asdict(origin) for origin in plugins.origins(cli)]
    return definitions(plugins, kind)


def definitions(plugins: Plugins, kind: str) -> Rows:
    """The definitions of one kind. Conflicts of names are printed on standard error."""
    catalogue = getattr(plugins, kind)
    for conflict in catalogue.conflicts.values():
        say(conflict, err=True)
    broken = sorted({sender.origin for sender in catalogue.senders if sender.errors})
    if broken:
        say(
            f"These plugins have errors: {', '.join(broken)}. See `grokbench list plugins`.",
            err=True,
        )
    return [
        {
            "name": name,
            **described(catalogue[name]),
            "version": catalogue[name].version,
            "origin": catalogue.origin(name),
        }
        for name in catalogue
    ]


def described(definition: type[Definition]) -> dict[str, Any]:
    """The summary and the options of a definition, which its plugin may compute."""
    from grokbench.errors import PluginFailure
    from grokbench.plugins import guard

    try:
        with guard(definition.name):
            options = definition.Options.model_json_schema()["properties"]
            return {"summary": str(definition.summary()), "options": options}
    except PluginFailure as failure:
        say(failure, err=True)
        return {"summary": "", "options": {}}


def suites(folders: tuple[Path, ...]) -> Rows:
    """The TOML files with experiments, with their titles, or the reason why one is unreadable."""
    rows = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        try:
            content = parse_toml(read_text(path), str(path))
        except SuiteError as error:
            (mistake,) = error.mistakes
            rows.append({"name": path.stem, "title": str(mistake), "path": str(path)})
            continue
        if "experiments" in content:
            name, title = content.get("name", path.stem), content.get("title", "")
            rows.append({"name": name, "title": title, "path": str(path)})
    return rows


def cell(value: Any) -> Text:
    """A cell of the table: one line for each item, options as a suite writes them."""
    from rich.text import Text

    if isinstance(value, dict):
        items = [
            f"{name} = {dumps(option['default'])}" if "default" in option else name
            for name, option in value.items()
        ]
    else:
        items = list(value) if isinstance(value, tuple) else [value]
    return Text("\n").join(styled("" if item is None else item) for item in items)
