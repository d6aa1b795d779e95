"""One plugin: its hooks are called, and its errors are remembered and harm no other plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pluggy

from grokbench import hookspecs
from grokbench.catalogue import Sender
from grokbench.errors import nearest
from grokbench.plugins.guarding import guarded
from grokbench.plugins.loading import entry_points_of, isolated
from grokbench.plugins.tracing import log, trace, traced
from grokbench.schema import DEFINITION_KINDS

DEFINITION_GROUP = "grokbench"
"""The entry-point group of modules that register definitions."""

COMMAND_GROUP = "grokbench.commands"
"""The entry-point group of modules that add commands. `grokbench --help` imports only these."""

HOOKS = {
    DEFINITION_GROUP: tuple(f"register_{kind}s" for kind in DEFINITION_KINDS),
    COMMAND_GROUP: ("register_commands",),
}
"""The hooks that are called in the modules of each group."""


@dataclass(frozen=True)
class Origin:
    """A plugin, as `grokbench list plugins` shows it.

    Attributes:
        name: the package's name, or the path of a single file.
        version: the package's version; empty for a single file.
        location: the module, or the path of a single file.
        registers: what the plugin registered, such as `task modular_addition`.
        error: what is wrong with the plugin; None if nothing is.
    """

    name: str
    version: str
    location: str
    registers: tuple[str, ...]
    error: str | None


class Plugin:
    """One plugin. Errors that it raises are remembered in `sender.errors`.

    Args:
        sender: the plugin's name, version and location.
        load: imports the plugin.
        groups: the entry-point groups in which its package announces the module.
    """

    def __init__(
        self,
        sender: Sender,
        load: Callable[[], object],
        groups: Sequence[str] = (DEFINITION_GROUP,),
    ) -> None:
        self.sender = sender
        self.hooks = pluggy.PluginManager("grokbench").hook
        # An import may change more than a call: see `isolated`.
        with guarded(sender, switches={}):
            manager = pluggy.PluginManager("grokbench")
            manager.add_hookspecs(hookspecs)
            if traced():
                trace(manager, sender, groups)
            with isolated():
                module = load()
            manager.register(module)
            self.hooks = manager.hook
            self._check_hooks(module, groups)
        if traced():
            for error in sender.errors:
                log(f"{sender.location}: {error}")

    @classmethod
    def at(cls, point: EntryPoint) -> Plugin:
        """The plugin behind an entry point, with the hooks of all groups that name its module."""
        package = point.dist.name if point.dist else point.name
        version = point.dist.version if point.dist else ""
        groups = [
            group
            for group in HOOKS
            if point.value in {other.value for other in entry_points_of(group)}
        ]
        return cls(Sender(package, version, point.value), point.load, groups)

    def call(self, hook: str, **arguments: object) -> None:
        """Call the plugin's implementation of `hook`, if the plugin was loaded and has one."""
        if hasattr(self.hooks, hook):
            with guarded(self.sender):
                getattr(self.hooks, hook)(**arguments)

    def origin(self) -> Origin:
        sender = self.sender
        return Origin(
            name=sender.package,
            version=sender.version,
            location=sender.location,
            registers=tuple(sender.registers),
            error="; ".join(sender.errors) or None,
        )

    def _check_hooks(self, module: object, groups: Sequence[str]) -> None:
        """Complain of hooks that are misspelt, unmarked or never called, and of a lack of hooks."""
        called = [hook for group in groups for hook in HOOKS[group]]
        group_of = {hook: group for group, hooks in HOOKS.items() for hook in hooks}
        marked = [name for name, caller in vars(self.hooks).items() if caller.get_hookimpls()]
        unmarked = [hook for hook in called if hasattr(module, hook) and hook not in marked]
        for name in marked:
            if name not in group_of:
                self.sender.complain(f"there is no hook {name!r}; {nearest(name, group_of)}")
            elif name not in called:
                self.sender.complain(
                    f"{name} is never called here; announce the module in its package under the "
                    f"entry-point group {group_of[name]!r}"
                )
        for hook in unmarked:
            self.sender.complain(f"{hook} is not marked; write @grokbench.hookimpl above it")
        if not marked and not unmarked:
            self.sender.complain(f"it has no hooks; write one of {', '.join(called)}")
