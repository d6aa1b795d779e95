"""`grokbench validate`: prints all mistakes in a suite."""

from __future__ import annotations

from pathlib import Path

import click

from grokbench import amounts
from grokbench.cli import options
from grokbench.cli.console import say, say_what_is_done


@click.command()
@options.suite_file
@options.plugin_files
def validate(suite: Path, plugin: tuple[Path, ...]) -> None:
    """Print every mistake in SUITE.

    Each mistake comes with its place in the file and what to write instead. A warning is printed if
    a suite without mistakes may be unable to decide a claim. The plugins that SUITE names are executed
    only if no mistake is found without them.
    """
    say_what_is_done(f"Reading {suite}")
    from grokbench.suite import load_suite
    from grokbench.suite.warnings import warnings_about

    checked = load_suite(suite, plugin)
    for warning in warnings_about(checked, checked.plugins):
        say(f"warning: {warning}", err=True)
    say(
        f"{suite}: no mistakes; "
        f"{amounts.count(len(checked.experiments), 'experiment')}, "
        f"{amounts.count(checked.run_count, 'run')}, "
        f"{amounts.count(len(checked.claims), 'claim')}"
    )
