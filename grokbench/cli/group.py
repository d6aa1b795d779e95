"""The group of all commands: loads plugins' commands when needed, and prints errors."""

from __future__ import annotations

import errno
from importlib.metadata import entry_points
from typing import Any

import click
from click.core import ParameterSource

from grokbench.cli.exit_code import ExitCode
from grokbench.errors import GrokbenchError


class CommandLine(click.Group):
    """grokbench's own commands, and the commands of plugins.

    Plugins' commands are loaded only when all commands are listed, or when a name is not a command
    of grokbench. A `GrokbenchError` is printed as its message, without a traceback, and the exit code
    is 2. `context.obj` is the command line as it was typed.
    """

    _has_plugin_commands = False

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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.BadParameter as error:
            name_the_variable(error)
            raise
        except GrokbenchError as error:
            raise Failure(str(error)) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except OSError as error:
            if error.filename is None or error.errno == errno.EPIPE:
                raise
            raise Failure(f"{error.filename}: {error.strerror}") from None

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


class Failure(click.ClickException):
    """A mistake that the user can correct: a message on standard error, and exit code 2."""

    exit_code = ExitCode.USAGE
