"""What a plugin promises as a whole: it imports quickly, and registers what it says."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grokbench import hookspecs
from grokbench.catalogue import Catalogue, Sender, problems_with
from grokbench.errors import PluginError, nearest
from grokbench.plugins import COMMAND_GROUP, DEFINITION_GROUP, HOOKS, Plugins
from grokbench.plugins.loading import entry_points_of, import_file, isolated
from grokbench.plugins.plugin import Plugin
from grokbench.switches import SWITCHES, put_back
from grokbench.testing.conformance.another_process import Import, imported_elsewhere
from grokbench.testing.conformance.checks import (
    KINDS,
    PROMISES,
    Check,
    Fault,
    Inapplicable,
    base_of,
    fault_of,
    listed,
    must,
    must_work,
    promises,
    reported_by,
)

if TYPE_CHECKING:
    import click

    from grokbench.definition import Definition

IMPORT_SECONDS = 2.0
"""Processor time that a plugin's module may take, beyond torch and grokbench."""

COMMAND_SECONDS = 0.5
"""The same for a module of commands, beyond click: `grokbench --help` waits for it."""

HEAVY = {
    "jax", "matplotlib", "netCDF4", "pandas", "scipy", "sklearn", "tensorflow", "torch",
    "transformers", "xarray",
}  # fmt: skip
"""Libraries that a module of commands should import when a command runs, and not before."""


@dataclass(frozen=True, eq=False)
class Module:
    """One module of a plugin.

    Attributes:
        package: the distribution's name, or the path of a single file.
        version: the distribution's; empty for a single file.
        location: the module's dotted name, or the path of a single file.
        groups: the entry-point groups that announce it.
        cli: the command line whose commands' names are taken.
    """

    package: str
    version: str
    location: str
    groups: tuple[str, ...]
    cli: click.Group | None = None

    def __str__(self) -> str:
        apart = "" if self.location == self.package else f" ({self.location})"
        return f"plugin {self.package}{apart}"

    @property
    def files(self) -> list[Path]:
        """The single file, if it is one."""
        return [Path(self.location)] if self.location.endswith(".py") else []

    def load(self) -> Any:
        """Import it, as grokbench does."""
        with isolated():
            if self.files:
                return import_file(self.files[0])
            return EntryPoint("", self.location, "").load()

    @cached_property
    def loaded(self) -> Any:
        """The module.

        Raises:
            Inapplicable: it cannot be imported, which `imports` reports.
        """
        with reported_by("imports"):
            return self.load()

    @cached_property
    def hooks(self) -> list[tuple[str, Any]]:
        """The functions that are marked as hooks, each with the name of the hook it implements."""
        functions = {name: getattr(self.loaded, name, None) for name in dir(self.loaded)}
        marks = {name: getattr(one, "grokbench_impl", None) for name, one in functions.items()}
        return [
            (mark.get("specname") or name, functions[name])
            for name, mark in marks.items()
            if isinstance(mark, Mapping)
        ]

    def checks(self) -> list[Check]:
        return [Check(str(self), promise, self) for promise in PROMISES["plugin"]]


def modules_named(name: str, cli: click.Group | None = None) -> list[Module]:
    """The modules of a single file, a distribution, or an entry point; none if there is none.

    Raises:
        PluginError: there is no such file.
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise PluginError(f"there is no file {name}")
        location = str(Path(name).resolve())
        return [Module(location, "", location, (DEFINITION_GROUP,), cli)]
    if name == "grokbench":
        from grokbench import __version__

        return [Module(name, __version__, "grokbench.builtin", (DEFINITION_GROUP,), cli)]
    found: dict[str, Module] = {}
    for group in HOOKS:
        for point in entry_points_of(group):
            package = point.dist.name if point.dist else point.name
            if plain(name) in {plain(package), plain(point.name), plain(point.value)}:
                groups = (*(found[point.value].groups if point.value in found else ()), group)
                version = point.dist.version if point.dist else ""
                found[point.value] = Module(package, version, point.value, groups, cli)
    return list(found.values())


def plain(name: str) -> str:
    """One spelling for all spellings of a distribution's name."""
    return name.lower().replace("_", "-")


def definitions_of(modules: Sequence[Module]) -> list[type[Definition]]:
    """What the modules of one plugin registered."""
    plugins = Plugins.load([file for module in modules for file in module.files])
    origins = {f"{module.package} {module.version}".strip() for module in modules}
    return [
        catalogue[name]
        for catalogue in catalogues_of(plugins)
        for name in catalogue
        if catalogue.origin(name) in origins
    ]


def definitions_named(name: str) -> list[type[Definition]]:
    """The registered definitions of that name, of every kind.

    Raises:
        PluginError: there is none; with the nearest name.
    """
    catalogues = catalogues_of(Plugins.load())
    if found := [catalogue[name] for catalogue in catalogues if name in catalogue]:
        return found
    for catalogue in catalogues:
        if name in catalogue.conflicts:
            raise PluginError(catalogue.conflicts[name])
    known = {one for catalogue in catalogues for one in catalogue}
    for point in (point for group in HOOKS for point in entry_points_of(group)):
        known |= {point.name, point.dist.name if point.dist else point.name}
    raise PluginError(
        f"there is no plugin, no definition and no file {name!r}; {nearest(name, known)}"
    )


def catalogues_of(plugins: Plugins) -> list[Catalogue[Any]]:
    return [getattr(plugins, f"{kind}s") for kind in KINDS]


@cache
def import_of(module: Module, commands: bool) -> Import | Fault:
    """What importing it in a process of its own did; the fault if the import did not end."""
    with put_back(SWITCHES):
        _ = module.loaded
    try:
        return imported_elsewhere(module.location.partition(":")[0], commands)
    except Fault as fault:
        return fault


def sound_import_of(module: Module, commands: bool | None = None) -> Import:
    """The same.

    Args:
        module: what is imported.
        commands: whether as a module of commands; by default if it has nothing else.

    Raises:
        Inapplicable: it cannot be imported in this process.
        Fault: it cannot be imported in a process of its own.
    """
    found = import_of(module, module.groups == (COMMAND_GROUP,) if commands is None else commands)
    if isinstance(found, Fault):
        raise found
    return found


@promises(
    "plugin",
    why="nothing that it registers can be used",
    instead="add what is missing to the package's dependencies, or correct the line",
)
def imports(module: Module) -> None:
    """Its module can be imported."""
    with must_work("importing it"):
        module.load()


@promises(
    "plugin",
    why="every command that needs a name waits for every plugin",
    instead="import what is slow in the functions that use it, and compute nothing at the top",
)
def imports_soon(module: Module) -> str:
    """Importing it takes little processor time beyond torch and grokbench."""
    limit = COMMAND_SECONDS if module.groups == (COMMAND_GROUP,) else IMPORT_SECONDS
    found = sound_import_of(module)
    must(
        found.seconds <= limit,
        f"importing it takes {found.seconds:.1f} s of processor time, more than {limit:g} s "
        f"(it imports {listed(libraries(found))})",
    )
    return f"{found.seconds:.2f} s"


def libraries(found: Import) -> list[str]:
    return sorted({name.split(".")[0] for name in found.modules})


@promises(
    "plugin",
    why="every command that looks up a name imports it: other runs would change, and the output of "
    "`--json` would not be JSON",
    instead="set and print nothing at the top of a module; a function that needs a switch sets it "
    "inside `with`, such as torch.random.fork_rng() or warnings.catch_warnings()",
)
def imports_without_a_trace(module: Module) -> None:
    """Importing it prints nothing, and changes no generator, switch or variable of the process."""
    with reported_by("imports_soon"):
        found = sound_import_of(module)
    told = [f"changes {' and '.join(found.changed)}"] if found.changed else []
    if found.printed:
        told.append(f"prints {reprlib.repr(found.printed)}, at once or when the process ends")
    must(not told, f"importing it {', and '.join(told)}")


@promises("plugin", why="nothing that it registers can be used", instead="correct the hook")
def hooks_are_called(module: Module) -> None:
    """It has hooks, and they are marked, spelt and given arguments as grokbench calls them."""
    for name, hook in module.hooks:
        parameters = inspect.signature(hook).parameters.values()
        found = [one.name for one in parameters if one.default is inspect.Parameter.empty]
        spec = getattr(hookspecs, name, None)
        expected = list(inspect.signature(spec).parameters) if spec else found
        called = ", ".join(expected)
        must(
            set(found) <= set(expected),
            f"{name} takes ({', '.join(found)}); it is called with ({called}), by name",
            f"write def {name}({called})",
        )
    sender = Sender(module.package, module.version, module.location)
    Plugin(sender, lambda: module.loaded, module.groups)
    if sender.errors:
        raise fault_of(sender.errors[0])


@promises("plugin", why="nobody could use it", instead="write register(MyTask) in a marked hook")
def registers_definitions(module: Module) -> str:
    """Its hooks run, and register complete classes of the right kind."""
    registered: list[str] = []
    for kind, definition in registrations(module):
        if problems := problems_with(definition, base_of(kind), kind):
            article = "an" if kind[0] in "aeiou" else "a"
            fault = fault_of(problems[0], "write a subclass of one of the base classes")
            raise Fault(fault.what, fault.instead, f"it cannot be used as {article} {kind}")
        registered.append(f"{kind} {definition.name}")
    must(registered or COMMAND_GROUP in module.groups, "it registers nothing")
    return listed(registered, most=100)


def registrations(module: Module) -> Iterator[tuple[str, Any]]:
    """The kind and the class of everything that its hooks register."""
    for kind in KINDS if DEFINITION_GROUP in module.groups else ():
        for hook in (hook for name, hook in module.hooks if name == f"register_{kind}s"):
            taken: list[Any] = []
            hook(**({"register": taken.append} if inspect.signature(hook).parameters else {}))
            yield from ((kind, definition) for definition in taken)


@promises(
    "plugin",
    why="a name that two plugins register belongs to neither",
    instead="give it a name that nobody else has, such as one with your package's",
)
def names_are_its_own(module: Module) -> None:
    """No other plugin, and no command of grokbench, has a name that it registers."""
    _ = module.loaded
    for origin in Plugins.load(module.files).origins(module.cli):
        if origin.location == module.location and origin.error:
            for error in origin.error.split("; "):
                must(" is registered by " not in error, error)


@promises(
    "plugin",
    why="`grokbench --help` imports every module of commands, and would take seconds",
    instead="import them in the command's function",
)
def commands_wait_for_heavy_imports(module: Module) -> None:
    """A module of commands imports no heavy library before a command runs."""
    if COMMAND_GROUP not in module.groups:
        raise Inapplicable("it announces no commands")
    with reported_by("imports_soon"):
        found = sound_import_of(module, commands=True)
    heavy = [name for name in libraries(found) if name in HEAVY]
    must(not heavy, f"importing it imports {listed(heavy)}")
