"""Finds plugins, guards everybody against their errors, and hands out what they registered.

Each plugin has a pluggy manager of its own, so that what one does wrong is known to be its doing
and stops nobody else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import pluggy

from grokbench import __version__, hookspecs
from grokbench.catalogue import Catalogue, Sender
from grokbench.errors import nearest
from grokbench.switches import put_back

if TYPE_CHECKING:
    import click

    from grokbench.architectures.base import Architecture
    from grokbench.definition import Definition
    from grokbench.measures.base import Measure
    from grokbench.optimizers.base import Optimizer
    from grokbench.phenomena.base import Detector
    from grokbench.tasks.base import Task

DEFINITIONS = "grokbench"
"""The entry-point group of modules that register tasks, architectures, optimizers, measures and
detectors."""

COMMANDS = "grokbench.commands"
"""The group of modules that add commands, apart because `grokbench --help` imports them."""

HOOKS = {
    DEFINITIONS: (
        "register_tasks",
        "register_architectures",
        "register_optimizers",
        "register_measures",
        "register_detectors",
    ),
    COMMANDS: ("register_commands",),
}
"""Which hooks are called in the modules of which group."""

T = TypeVar("T", bound="Definition")

_importing = threading.RLock()
"""Held while a plugin is imported: cohorts may train in threads."""

_owners: WeakKeyDictionary[click.Group, dict[str, str]] = WeakKeyDictionary()
"""Which plugin each command of a group came from, so that commands may be added twice."""


@dataclass(frozen=True)
class Origin:
    """A plugin, as `grokbench list plugins` shows it.

    `name` is its package's, or the path of a single file; `location` is its module. `registers`
    names what it registered (`task modular_addition`); `error` says what is wrong with it, if
    anything is.
    """

    name: str
    version: str
    location: str
    registers: tuple[str, ...]
    error: str | None


class Plugin:
    """One plugin, under guard: whatever it raises is remembered in `sender.errors`.

    Args:
        sender: who it is.
        load: imports it.
        groups: the entry-point groups under which it is announced.
    """

    def __init__(
        self, sender: Sender, load: Callable[[], object], groups: Sequence[str] = (DEFINITIONS,)
    ) -> None:
        self.sender = sender
        self.hooks = pluggy.PluginManager("grokbench").hook
        with guarded(sender):
            manager = pluggy.PluginManager("grokbench")
            manager.add_hookspecs(hookspecs)
            if traced():
                trace(manager, sender, groups)
            with apart():
                module = load()
            manager.register(module)
            self.hooks = manager.hook
            self._report_unheard(module, groups)
        if traced():
            for error in sender.errors:
                tell(f"{sender.location}: {error}")

    def call(self, hook: str, **arguments: object) -> None:
        """Call the plugin's implementation of `hook`, if it could be loaded and has one."""
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

    def _report_unheard(self, module: object, groups: Sequence[str]) -> None:
        """Hooks that are misspelt, unmarked or never called, and a lack of hooks, are not silent."""
        heard = [hook for group in groups for hook in HOOKS[group]]
        group_of = {hook: group for group, hooks in HOOKS.items() for hook in hooks}
        marked = [name for name, caller in vars(self.hooks).items() if caller.get_hookimpls()]
        unmarked = [hook for hook in heard if hasattr(module, hook) and hook not in marked]
        for name in marked:
            if name not in group_of:
                self.sender.complain(f"there is no hook {name!r}; {nearest(name, group_of)}")
            elif name not in heard:
                self.sender.complain(
                    f"{name} is never called here; announce the module in its package under the "
                    f"entry-point group {group_of[name]!r}"
                )
        for hook in unmarked:
            self.sender.complain(f"{hook} is not marked; write @grokbench.hookimpl above it")
        if not marked and not unmarked:
            self.sender.complain(f"it has no hooks; write one of {', '.join(heard)}")


class Plugins:
    """All plugins, and what they registered.

    Nothing is imported before something that a plugin may have registered is asked for, and then
    each plugin is imported once. Another process receives the paths of `files` and imports for
    itself, once as well.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self.files = tuple(dict.fromkeys(Path(file).resolve() for file in files))

    @classmethod
    def load(cls, files: Sequence[Path] = ()) -> Plugins:
        """What grokbench itself, installed packages and single `files` have to offer."""
        return cls(files)

    def __reduce__(self) -> tuple[Callable[..., Plugins], tuple[tuple[Path, ...]]]:
        return received, (self.files,)

    @cached_property
    def tasks(self) -> Catalogue[Task]:
        from grokbench.tasks.base import Task

        return self._catalogue("task", "register_tasks", Task)  # type: ignore[type-abstract]

    @cached_property
    def architectures(self) -> Catalogue[Architecture]:
        from grokbench.architectures.base import Architecture

        return self._catalogue("architecture", "register_architectures", Architecture)  # type: ignore[type-abstract]

    @cached_property
    def optimizers(self) -> Catalogue[Optimizer]:
        from grokbench.optimizers.base import Optimizer

        return self._catalogue("optimizer", "register_optimizers", Optimizer)  # type: ignore[type-abstract]

    @cached_property
    def measures(self) -> Catalogue[Measure]:
        from grokbench.measures.base import Measure

        return self._catalogue("measure", "register_measures", Measure)  # type: ignore[type-abstract]

    @cached_property
    def detectors(self) -> Catalogue[Detector]:
        from grokbench.phenomena.base import Detector

        return self._catalogue("detector", "register_detectors", Detector)  # type: ignore[type-abstract]

    def origins(self, cli: click.Group | None = None) -> list[Origin]:
        """Every plugin, in the order in which they are loaded.

        With `cli`, plugins' commands are added to it too, so that those whose name is taken show.
        """
        import click

        self._register_all()
        commands = self.add_commands(cli or click.Group())
        return [*(plugin.origin() for plugin in self._plugins), *commands]

    def error(self, file: Path) -> str | None:
        """What is wrong with one of the single `files`, or with anything that it registers."""
        self._register_all()
        location = str(Path(file).resolve())
        return next(p.origin().error for p in self._plugins if p.sender.location == location)

    @staticmethod
    def add_commands(cli: click.Group) -> list[Origin]:
        """Add the commands of installed packages to `cli`; doing so again changes nothing.

        Only modules under the entry-point group `grokbench.commands` are imported. A command whose
        name is taken is left out, and is an error of the plugin that came later.
        """
        plugins = [announced(point) for point in announcements(COMMANDS)]
        for plugin in plugins:
            _add_commands(plugin, cli)
        return [plugin.origin() for plugin in plugins]

    @cached_property
    def _plugins(self) -> tuple[Plugin, ...]:
        own = Sender("grokbench", __version__, "grokbench.builtin")
        return (
            Plugin(own, partial(importlib.import_module, own.location)),
            *(announced(point) for point in announcements(DEFINITIONS)),
            *(
                Plugin(Sender(str(file), "", str(file)), partial(import_file, file))
                for file in self.files
            ),
        )

    def _register_all(self) -> None:
        _ = self.tasks, self.architectures, self.optimizers, self.measures, self.detectors

    def _catalogue(self, kind: str, hook: str, base: type[T]) -> Catalogue[T]:
        catalogue = Catalogue(kind, base, [plugin.sender for plugin in self._plugins])
        for plugin in self._plugins:
            plugin.call(hook, register=partial(catalogue.add, sender=plugin.sender))
        return catalogue


@cache
def received(files: tuple[Path, ...]) -> Plugins:
    """The plugins that another process sent: one object in a process, however often they come."""
    return Plugins(files)


def announcements(group: str) -> list[EntryPoint]:
    """The entry points of installed packages in `group`, in an order that is always the same."""
    return sorted(entry_points(group=group), key=lambda point: (point.value, point.name))


def announced(point: EntryPoint) -> Plugin:
    """The plugin behind an entry point; it hears the hooks of all groups that announce it."""
    package = point.dist.name if point.dist else point.name
    version = point.dist.version if point.dist else ""
    groups = [group for group in HOOKS if point.value in {p.value for p in announcements(group)}]
    return Plugin(Sender(package, version, point.value), point.load, groups)


def import_file(path: Path) -> ModuleType:
    """Import a single file afresh, under a module name that is this path's own."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"grokbench_file_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file; name one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def guarded(sender: Sender) -> Iterator[None]:
    """Whatever is raised within, even `sys.exit()`, is remembered and goes no further."""
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        sender.complain(describe(error))


@contextmanager
def apart() -> Iterator[None]:
    """What an import does within to the whole process is kept from everybody else.

    Switches and generators are put back, and what is printed goes to standard error, so that it does
    not spoil what a command prints for other programs.
    """
    with _importing, put_back(), redirect_stdout(sys.stderr):
        yield


def traced() -> bool:
    """Whether what plugins do is to be told."""
    return os.environ.get("GROKBENCH_TRACE", "") not in {"", "0"}


def tell(what: str) -> None:
    print(f"grokbench: {what}", file=sys.stderr, flush=True)  # noqa: T201


def trace(manager: pluggy.PluginManager, sender: Sender, groups: Sequence[str]) -> None:
    """Say on standard error where a plugin comes from, each hook call in it, and what came of it."""

    def before(*_: object) -> None:
        registered[:], complained[:] = sender.registers, sender.errors

    def after(
        outcome: pluggy.Result[Any],
        hook: str,
        methods: Sequence[object],
        arguments: Mapping[str, Any],
    ) -> None:
        if not methods:
            return
        new = sender.registers[len(registered) :]
        # Commands are moved out of a group of the plugin's own after the call.
        if "cli" in arguments:
            new = [f"command {name}" for name in arguments["cli"].commands]
        result = ", ".join(new) or "nothing registered"
        if outcome.exception is not None:
            result = f"raised {describe(outcome.exception)}"
        wrong = sender.errors[len(complained) :]
        tell("; ".join([f"{hook} in {sender.location} -> {result}", *wrong]))

    registered: list[str] = []
    complained: list[str] = []
    found = "a single file" if sender.package == sender.location else " and ".join(groups)
    tell(f"plugin {sender.origin} from {sender.location} ({found})")
    manager.add_hookcall_monitoring(before, after)


LONGEST = 300
"""How many characters of an error's own words are told."""

NOT_PLUGINS = sys.stdlib_module_names | {"grokbench", "pluggy", "torch", "numpy", "xarray", "scipy"}
"""Packages whose lines say nothing of where a plugin went wrong."""


def describe(error: BaseException) -> str:
    """An error in one line, with the line of the plugin in which, or below which, it was raised."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    if isinstance(error, SyntaxError):
        return text
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").split(".")[0] not in NOT_PLUGINS:
            return f"{text} ({Path(frame.f_code.co_filename).name}, line {line})"
    return text


def _add_commands(plugin: Plugin, cli: click.Group) -> None:
    """Let a plugin fill an empty group, and move what is new in it to `cli`."""
    import click

    sender, group, context = plugin.sender, click.Group(), click.Context(cli)
    owners = _owners.setdefault(cli, {})
    plugin.call("register_commands", cli=group)
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
