"""What a plugin promises as a whole: that it imports, and soon, and registers what it says."""

from __future__ import annotations

import importlib
import inspect
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grokbench import hookspecs
from grokbench.catalogue import Catalogue, Sender, problems_with
from grokbench.errors import PluginError, nearest
from grokbench.plugins import (
    COMMAND_GROUP,
    DEFINITION_GROUP,
    HOOKS,
    Plugins,
    describe,
)
from grokbench.plugins.loading import entry_points_of, import_file, isolated
from grokbench.plugins.plugin import Plugin
from grokbench.testing.conformance.checks import (
    Check,
    Fault,
    Inapplicable,
    listed,
    once,
    sentence_of,
)
from grokbench.testing.conformance.global_state import kept
from grokbench.testing.conformance.trial import Trial, trial

if TYPE_CHECKING:
    import click

    from grokbench.definition import Definition

IMPORT_SECONDS = 2.0
"""Processor time that a plugin's module may take beyond torch and grokbench."""

COMMAND_SECONDS = 0.5
"""The same for a module of commands, beyond click: `grokbench --help` waits for it."""

HEAVY = (
    "jax",
    "matplotlib",
    "netCDF4",
    "pandas",
    "scipy",
    "sklearn",
    "tensorflow",
    "torch",
    "transformers",
    "xarray",
)
"""Libraries that a module of commands should import when a command runs, and not before."""


@dataclass(frozen=True, eq=False)
class Module:
    """One module of a plugin.

    Attributes:
        package: the distribution's name, or the path of a single file.
        location: the module's dotted name, or the path of a single file.
        groups: the entry-point groups that announce it.
        cli: whose commands it must not take the names of.
    """

    package: str
    version: str
    location: str
    groups: tuple[str, ...]
    cli: click.Group | None = None

    @property
    def files(self) -> list[Path]:
        """Of single files, which are loaded by name."""
        return [Path(self.location)] if self.location.endswith(".py") else []

    @property
    def hooks(self) -> list[str]:
        """The hooks that are called in it."""
        return [hook for group in self.groups for hook in HOOKS[group]]

    def load(self) -> Any:
        """Import it, as grokbench does."""
        with isolated():
            return self._imported()

    def _imported(self) -> Any:
        if self.files:
            return import_file(self.files[0])
        module, _, attribute = self.location.partition(":")
        loaded: Any = importlib.import_module(module)
        for name in filter(None, attribute.split(".")):
            loaded = getattr(loaded, name)
        return loaded

    @cached_property
    def loaded(self) -> Any:
        """It, once.

        Raises:
            Inapplicable: it cannot be imported, which is a fault that `imports` finds.
        """
        try:
            return self.load()
        except (Exception, SystemExit) as error:
            raise Inapplicable(f"it cannot be imported: see imports ({describe(error)})") from error


def modules_named(name: str, cli: click.Group | None = None) -> list[Module]:
    """The modules of a single file, a distribution, or the entry point of that name; maybe none.

    Raises:
        PluginError: a file that is not there.
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
    """A distribution's name as all spellings of it are alike."""
    return name.lower().replace("_", "-")


def names_of_plugins() -> set[str]:
    """Of all distributions and entry points."""
    points = [point for group in HOOKS for point in entry_points_of(group)]
    return {
        name for point in points for name in (point.name, point.dist and point.dist.name) if name
    }


def examinations_of_modules() -> tuple[Callable[[Module], str | None], ...]:
    """What is examined of each module, in this order."""
    return (
        imports,
        imports_soon,
        imports_without_a_trace,
        hooks_are_called,
        hooks_take_their_arguments,
        registers_definitions,
        names_are_its_own,
        commands_wait_for_heavy_imports,
    )


def module_checks(module: Module) -> list[Check]:
    """The checks of one module of a plugin."""
    subject = f"plugin {module.package}"
    if module.location != module.package:
        subject += f" ({module.location})"
    return [
        Check(subject, one.__name__, sentence_of(one), partial(one, module))
        for one in examinations_of_modules()
    ]


def imports(module: Module) -> None:
    """Its module can be imported."""
    try:
        module.load()
    except (Exception, SystemExit) as error:
        raise Fault(
            f"importing it raises {describe(error)}",
            "nothing that it registers can be used",
            "add what is missing to the package's dependencies, or mend the line",
        ) from error


def imports_soon(module: Module) -> str:
    """Importing it takes little processor time beyond torch and grokbench."""
    limit = COMMAND_SECONDS if module.groups == (COMMAND_GROUP,) else IMPORT_SECONDS
    found = trial_of(module)
    if found.seconds > limit:
        libraries = sorted({name.split(".")[0] for name in found.modules})
        raise Fault(
            f"importing it takes {found.seconds:.1f} s of processor time (it imports {listed(libraries)})",
            f"every command that needs a name waits for every plugin; {limit:g} s is much",
            "import what is slow in the functions that use it, and compute nothing at the top",
        )
    return f"{found.seconds:.2f} s"


@cache
def tried(module: Module, commands: bool) -> Trial | Fault:
    """What came of importing it in a process of its own, once; the fault where it came to no end."""
    with kept():
        _ = module.loaded
    try:
        return trial(module.location.partition(":")[0], commands)
    except Fault as fault:
        return fault


def trial_of(module: Module) -> Trial:
    """The same.

    Raises:
        Inapplicable: it cannot be imported.
        Fault: it cannot be imported in a process of its own.
    """
    found = tried(module, module.groups == (COMMAND_GROUP,))
    if isinstance(found, Fault):
        raise found
    return found


def imports_without_a_trace(module: Module) -> None:
    """Importing it prints nothing, and changes no generator, switch or variable of the process."""
    with once("imports_soon"):
        found = trial_of(module)
    told = [f"changes {' and '.join(found.changed)}"] if found.changed else []
    if found.printed:
        told.append(f"prints {reprlib.repr(found.printed)}, at once or when the process ends")
    if told:
        raise Fault(
            f"importing it {', and '.join(told)}",
            "every command that looks up a name imports it: runs that have nothing of it would "
            "be others, and what `--json` prints no JSON",
            "set and print nothing at the top of a module; a function that needs a switch sets it "
            "within `with`, such as torch.random.fork_rng() or warnings.catch_warnings()",
        )


def hooks_are_called(module: Module) -> None:
    """It has hooks, marked and spelt as they are called."""
    sender = Sender(module.package, module.version, module.location)
    loaded = module.loaded
    wrong = {name for name, _, _ in signatures(loaded)}
    if wrong:
        raise Inapplicable("pluggy refuses it: see hooks_take_their_arguments")
    Plugin(sender, lambda: loaded, module.groups)
    if sender.errors:
        what, _, instead = sender.errors[0].partition("; ")
        raise Fault(what, "nothing that it registers can be used", instead or "mend the hook")


def hooks_take_their_arguments(module: Module) -> None:
    """Each hook takes the arguments that it is called with, by their names."""
    for name, found, expected in signatures(module.loaded):
        raise Fault(
            f"{name} takes ({', '.join(found)})",
            f"it is called with ({', '.join(expected)}), by name",
            f"write def {name}({', '.join(expected)})",
        )


def signatures(loaded: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    """Marked hooks that take an argument they are never given: name, arguments, and ours."""
    ours = {name: one for name, one in vars(hookspecs).items() if name.startswith("register_")}
    for name, hook in implementations(loaded):
        if name not in ours:
            continue
        expected = list(inspect.signature(ours[name]).parameters)
        found = [
            parameter.name
            for parameter in inspect.signature(hook).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        if not set(found) <= set(expected):
            yield name, found, expected


def implementations(loaded: Any) -> Iterator[tuple[str, Any]]:
    """The functions that are marked as hooks, each with the name of the hook that it implements."""
    for name in dir(loaded):
        function = getattr(loaded, name, None)
        mark = getattr(function, "grokbench_impl", None)
        if isinstance(mark, Mapping):
            yield mark.get("specname") or name, function


def registers_definitions(module: Module) -> str:
    """Its hooks run, and register complete classes of the right kind."""
    registered: list[str] = []
    catalogues = catalogues_of(Plugins.load())
    for hook in (hook for hook in module.hooks if hook.removeprefix("register_") in catalogues):
        catalogue = catalogues[hook.removeprefix("register_")]

        def register(definition: Any, catalogue: Catalogue[Any] = catalogue) -> None:
            if problems := problems_with(definition, catalogue.base, catalogue.kind):
                what, _, instead = problems[0].partition("; ")
                article = "an" if catalogue.kind[0] in "aeiou" else "a"
                why = f"it cannot be used as {article} {catalogue.kind}"
                raise Fault(what, why, instead or "write one of the base classes' subclasses")
            registered.append(f"{catalogue.kind} {definition.name}")

        functions = [one for name, one in implementations(module.loaded) if name == hook]
        for function in functions:
            takes = inspect.signature(function).parameters
            function(**({"register": register} if "register" in takes else {}))
    if not registered and COMMAND_GROUP not in module.groups:
        raise Fault(
            "it registers nothing",
            "nobody could use it",
            "write register(MyTask) in a hook that is marked",
        )
    return listed(registered, most=100)


def catalogues_of(plugins: Plugins) -> dict[str, Catalogue[Any]]:
    """`tasks`, `architectures`, …: one for each hook that registers definitions."""
    kinds = [hook.removeprefix("register_") for hook in HOOKS[DEFINITION_GROUP]]
    return {kind: getattr(plugins, kind) for kind in kinds}


def names_are_its_own(module: Module) -> None:
    """No other plugin, and no command of grokbench, has a name that it registers."""
    _ = module.loaded
    for origin in Plugins.load(module.files).origins(module.cli):
        if origin.location == module.location and origin.error:
            for error in origin.error.split("; "):
                if " is registered by " in error:
                    raise Fault(
                        error,
                        "a name that two plugins register belongs to neither",
                        "give it a name that nobody else has, such as one with your package's",
                    )


def commands_wait_for_heavy_imports(module: Module) -> None:
    """A module of commands imports no heavy library before a command runs."""
    if COMMAND_GROUP not in module.groups:
        raise Inapplicable("it announces no commands")
    with once("imports_soon"):
        found = tried(module, commands=True)
        if isinstance(found, Fault):
            raise found
    if heavy := sorted({name.split(".")[0] for name in found.modules} & set(HEAVY)):
        raise Fault(
            f"importing it imports {listed(heavy)}",
            "`grokbench --help` imports every module of commands, and would take seconds",
            "import them in the command's function",
        )


def definitions_of(modules: Sequence[Module]) -> list[type[Definition]]:
    """What the modules of one plugin registered, and nobody else."""
    files = [file for module in modules for file in module.files]
    plugins = Plugins.load(files)
    origins = {f"{module.package} {module.version}".strip() for module in modules}
    return [
        catalogue[name]
        for catalogue in catalogues_of(plugins).values()
        for name in catalogue
        if catalogue.origin(name) in origins
    ]


def definitions_named(name: str) -> list[type[Definition]]:
    """The registered definitions of that name, of whatever kind.

    Raises:
        PluginError: there are none; with the nearest name.
    """
    catalogues = catalogues_of(Plugins.load()).values()
    if found := [catalogue[name] for catalogue in catalogues if name in catalogue]:
        return found
    conflicts = [c.conflicts[name] for c in catalogues if name in c.conflicts]
    if conflicts:
        raise PluginError(conflicts[0])
    known = {one for catalogue in catalogues for one in catalogue} | names_of_plugins()
    raise PluginError(
        f"there is no plugin, no definition and no file {name!r}; {nearest(name, known)}"
    )
