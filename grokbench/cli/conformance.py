"""`grokbench test-plugin`: the checks of the conformance kit for a plugin."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import click

from grokbench.cli import options
from grokbench.cli.console import print_json, say, say_what_is_done
from grokbench.cli.exit_code import ExitCode

if TYPE_CHECKING:
    from grokbench.testing.conformance.checks import Result


@click.command("test-plugin")
@click.argument("name", metavar="NAME")
@click.option(
    "--expect",
    type=(str, str),
    multiple=True,
    metavar="CHECK REASON",
    help="Expect a check to fail, such as 'task majority: mirror_free_is_true', and say why; may "
    "be given several times.",
)
@options.as_json
@click.pass_context
def conformance(
    context: click.Context, name: str, expect: tuple[tuple[str, str], ...], json: bool
) -> None:
    """Examine the plugin NAME and everything that it registers.

    NAME is a package or an entry point, the path of a single .py file, the name of one registered
    definition, or `grokbench` for the built-in definitions. Each check is one line: ok, FAILED,
    expected or skipped, and what is worth knowing. The exit code is 1 if a check failed.
    """
    say_what_is_done(f"Loading {name}")
    from grokbench.testing.conformance.checks import CheckOutcome
    from grokbench.testing.conformance.kit import checks_of_plugin

    cli = context.find_root().command
    assert isinstance(cli, click.Group)
    try:
        with redirect_stdout(sys.stderr):
            checks = checks_of_plugin(name, cli=cli, expected_failures=dict(expect))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expect") from None
    results: list[Result] = []
    for check in checks:
        # What a plugin prints must not mix with the results.
        with redirect_stdout(sys.stderr):
            results.append(check.result())
        if not json:
            say(str(results[-1]))
    counts = Counter(result.outcome for result in results)
    if json:
        print_json([result.document() for result in results])
    else:
        say(", ".join(f"{counts[outcome]} {outcome.value}" for outcome in CheckOutcome))
    if counts[CheckOutcome.FAILED]:
        context.exit(ExitCode.CHECK_FAILED)
