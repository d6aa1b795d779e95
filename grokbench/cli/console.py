"""The output of commands: tables and colours on a terminal, plain text elsewhere, and JSON."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """A console that prints text unchanged: square brackets are not markup."""
    from rich.console import Console

    plain = Console(markup=False, highlight=False, emoji=False)
    if not plain.is_terminal and "COLUMNS" not in os.environ:
        plain.width = 120
    return plain


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table. The columns named in `right` are aligned to the right, for numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
