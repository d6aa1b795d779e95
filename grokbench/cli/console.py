"""The output of commands: tables and colours on a terminal, plain text elsewhere, and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from grokbench.errors import ResultsError
from grokbench.plain import in_json, on_one_line
from grokbench.streams import Output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def say(text: object, *, err: bool = False) -> None:
    """Print one line. Text in it comes from suites, results or plugins, and nothing in it acts."""
    click.echo(on_one_line(text), err=err)


def say_what_is_done(doing: str) -> None:
    """Print what a command does first. Importing libraries may take half a minute on a busy machine."""
    say(f"{doing} …", err=True)


@contextmanager
def writing(path: Path, example: str) -> Iterator[None]:
    """Turn an error of writing a file into a message that names an option which writes elsewhere.

    Raises:
        ResultsError: the file could not be written.
    """
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{path}: could not be written ({error.strerror}); name another file, such as {example}"
        ) from error


def console() -> Console:
    """A console on which each string is one line or one cell, and is shown as it is.

    Square brackets are not markup. A `Text` must be made of harmless strings (`styled`).
    """
    from rich.console import Console

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(on_one_line(text), **options)

    plain = Plain(markup=False, highlight=False, emoji=False)
    if not plain.is_terminal and "COLUMNS" not in os.environ:
        plain.width = 120
    return plain


def styled(text: object, style: str = "") -> Text:
    """One line, or one cell of a table, in a colour."""
    from rich.text import Text

    return Text(on_one_line(text), style)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table. The columns named in `right` are aligned to the right, for numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


JSON_STREAM = "grokbench.cli.console.json"
"""The key, in click's `Context.meta`, of the stream for which `promise_json` keeps standard output."""


def promise_json(context: click.Context, _: click.Parameter, promised: bool) -> bool:
    """The callback of `--json`: from now on, standard output has the JSON document and nothing else.

    What plugins and libraries print, here or in worker processes, goes to standard error.
    """
    if promised and not context.resilient_parsing:
        context.meta[JSON_STREAM] = context.with_resource(kept_for_json())
    return promised


@contextmanager
def kept_for_json() -> Iterator[TextIO | None]:
    """Standard output as it was, while all that others print goes to standard error."""
    found = sys.stdout
    document = copied(found) if isinstance(found, Output) else None
    if document is not None:
        # This is never undone: what is printed when Python ends is no JSON either.
        yield document
    else:
        with redirect_stdout(sys.stderr):
            yield found


def copied(stream: Output) -> Output | None:
    """A copy of standard output, which itself now leads to standard error; None without standard error."""
    stream.flush()
    try:
        copy = os.dup(stream.fileno())
        os.dup2(2, stream.fileno())
    except OSError:
        return None
    return Output(os.fdopen(copy, "wb"), encoding=stream.encoding, errors=stream.errors)


def print_json(document: Any) -> None:
    """Print a JSON document. Characters that the encoding lacks become JSON's own escapes."""
    stream = click.get_current_context().meta[JSON_STREAM]
    text = in_json(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    try:
        text.encode(stream.encoding)
    except UnicodeEncodeError:
        text = in_json(json.dumps(document, indent=2, allow_nan=False))
    click.echo(text, file=stream)
