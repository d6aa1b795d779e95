"""The group of all commands: loads plugins' commands when needed, and prints errors."""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import entry_points
from typing import Any

import click
from click.core import ParameterSource

from grokbench.cli.ending import exit_code_of
from grokbench.cli.exit_code import ExitCode
from grokbench.errors import GrokbenchError, lines_of
from grokbench.plain import on_one_line


class CommandLine(click.Group):
    """grokbench's own commands, and the commands of plugins.

    Plugins' commands are loaded only when all commands are listed, or when a name is not a command
    of grokbench. A `GrokbenchError` is printed as its message, without a traceback, and the exit code
    is 2. `ending.py` does the rest. `context.obj` is the command line as it was typed.
    """

    _has_plugin_commands = False

    def main(self, *arguments: Any, standalone_mode: bool = True, **others: Any) -> Any:
        """As click's `main`, but every error has one of grokbench's own exit codes."""
        command = partial(super().main, *arguments, standalone_mode=False, **others)
        if not standalone_mode:
            return command()
        sys.exit(exit_code_of(command))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._add_plugin_commands()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command. Its value is dropped: `main` returns an exit code, or None."""
        try:
            super().invoke(ctx)
        except click.BadParameter as error:
            name_the_variable(error)
            raise
        except GrokbenchError as error:
            raise Failure("\n".join(lines_of(error))) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except OSError as error:
            if error.filename is None:
                raise
            raise Failure(on_one_line(f"{error.filename}: {error.strerror}")) from None
        except SystemExit as error:
            if not self._is_own(ctx.invoked_subcommand):
                raise click.exceptions.Exit(exit_code(error)) from None
            # Only the code of a plugin calls `sys.exit`. Its code is not the command's answer.
            raise RuntimeError(f"something called sys.exit({error.code!r})") from error

    def _is_own(self, name: str | None) -> bool:
        """Whether a command is grokbench's own."""
        command = self.commands.get(name or "")
        callback = getattr(command, "callback", None)
        return getattr(callback, "__module__", "").startswith("grokbench.cli.")

    def _add_plugin_commands(self) -> None:
        if self._has_plugin_commands:
            return
        self._has_plugin_commands = True
        # Most users have no such plugin, and importing pluggy takes time.
        if entry_points(group="grokbench.commands"):
            from grokbench.plugins.commands import add_commands

            add_commands(self)


def name_the_variable(error: click.BadParameter) -> None:
    """Name the environment variable in the message, if a bad value came from one."""
    context, parameter = error.ctx, error.param
    if context is None or parameter is None or parameter.name is None:
        return
    if context.get_parameter_source(parameter.name) is ParameterSource.ENVIRONMENT:
        option = parameter.get_error_hint(context)
        variable = f"{context.auto_envvar_prefix}_{parameter.name.upper()}"
        error.param_hint = f"{option} (environment variable {variable})"


def exit_code(error: SystemExit) -> int:
    """The exit code that Python would give; text is printed, as Python would do."""
    if error.code is None or isinstance(error.code, int):
        return error.code or ExitCode.OK
    click.echo(error.code, err=True)
    return ExitCode.USAGE


class Failure(click.ClickException):
    """A mistake that the user can correct: a message on standard error, and exit code 2."""

    exit_code = ExitCode.USAGE
