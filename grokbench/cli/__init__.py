"""The command line, one file for each command.

Only click is imported at first. A command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import signal

import click

from grokbench import __version__
from grokbench.cli.check import check
from grokbench.cli.compare import compare
from grokbench.cli.conformance import conformance
from grokbench.cli.ending import leave
from grokbench.cli.group import CommandLine, exit_code
from grokbench.cli.listing import listing
from grokbench.cli.new_plugin import new_plugin
from grokbench.cli.plan import plan
from grokbench.cli.report import report
from grokbench.cli.run import run
from grokbench.cli.score import score
from grokbench.cli.validate import validate
from grokbench.streams import own_streams

__all__ = ["cli", "main"]


@click.group(
    cls=CommandLine,
    context_settings={
        "auto_envvar_prefix": "GROKBENCH",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="grokbench")
def cli() -> None:
    """Train small models over grids, and judge what papers claim about them.

    A suite is a TOML file with experiments and claims. Every option can also be set by an environment
    variable: GROKBENCH_RUN_JOBS=4 is the same as `grokbench run --jobs 4`.
    """


for command in (
    run,
    plan,
    validate,
    listing,
    score,
    report,
    check,
    compare,
    new_plugin,
    conformance,
):
    cli.add_command(command)


def main() -> None:
    """The entry point of the program `grokbench`. SIGTERM has the effect of Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    own_streams()
    # The backend of a notebook is of no use to a program, and keeps plugins from importing matplotlib.
    if os.environ.get("MPLBACKEND", "").startswith("module://"):
        del os.environ["MPLBACKEND"]
    try:
        cli(prog_name="grokbench")
    except SystemExit as end:
        leave(exit_code(end))
