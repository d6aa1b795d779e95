"""Commands of installed packages, added to the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from grokbench import __version__
from grokbench.plugins.guarding import guarded
from grokbench.plugins.loading import entry_points_of
from grokbench.plugins.plugin import COMMAND_GROUP, Origin, Plugin

if TYPE_CHECKING:
    import click

_owners: WeakKeyDictionary[click.Group, dict[str, str]] = WeakKeyDictionary()
"""For each command line: the plugin that each command came from. So adding twice changes nothing."""


def add_commands(cli: click.Group) -> list[Origin]:
    """Add the commands of installed packages to `cli`. A second call changes nothing.

    Only modules in the entry-point group `grokbench.commands` are imported. A command whose name is
    taken is not added, and is an error of the plugin that came later.
    """
    plugins = [Plugin.at(point) for point in entry_points_of(COMMAND_GROUP)]
    for plugin in plugins:
        _add(plugin, cli)
    return [plugin.origin() for plugin in plugins]


def _add(plugin: Plugin, cli: click.Group) -> None:
    """Have a plugin fill an empty group, then move the new commands to `cli`."""
    import click

    sender, group, context = plugin.sender, click.Group(), click.Context(cli)
    owners = _owners.setdefault(cli, {})
    plugin.call("register_commands", cli=group)
    with guarded(sender):
        for name, command in group.commands.items():
            if cli.get_command(context, name) is None:
                cli.add_command(command, name)
                owners[name] = sender.origin
            owner = owners.get(name, f"grokbench {__version__}")
            if owner == sender.origin:
                sender.registers.append(f"command {name}")
            else:
                sender.complain(
                    f"the command {name!r} is registered by {owner} and by {sender.origin}; "
                    "the first has it, so rename the other"
                )
