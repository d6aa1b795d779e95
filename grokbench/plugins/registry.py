"""All plugins together: what they registered, one catalogue for each kind of definition."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from grokbench import __version__
from grokbench.catalogue import Catalogue, Sender
from grokbench.errors import PluginError, UnknownNameError
from grokbench.plugins.commands import add_commands
from grokbench.plugins.digests import digest_of_file, digest_of_package
from grokbench.plugins.loading import entry_points_of, import_file
from grokbench.plugins.plugin import DEFINITION_GROUP, Origin, Plugin

if TYPE_CHECKING:
    import click

    from grokbench.architectures.base import Architecture
    from grokbench.definition import Definition
    from grokbench.measures.base import Measure
    from grokbench.optimizers.base import Optimizer
    from grokbench.phenomena.base import Detector
    from grokbench.tasks.base import Task

T = TypeVar("T", bound="Definition")


class Plugins:
    """All plugins: grokbench's own definitions, installed packages, and single files.

    Plugins are imported when a catalogue is asked for, each of them once. A pickled `Plugins` is the
    paths of its `files` and the digests of their code: the process that receives it imports the plugins
    itself, once as well. A file that was edited in between is refused with a PluginError.

    Args:
        files: single-file plugins.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self.files = tuple(dict.fromkeys(Path(os.path.realpath(file)) for file in files))

    @classmethod
    def load(cls, files: Sequence[Path] = ()) -> Plugins:
        """The plugins of this process, with single `files`. Each call reads the files afresh."""
        return cls(files)

    def __reduce__(self) -> tuple[Callable[..., Plugins], tuple[tuple[Path, str | None], ...]]:
        imported = vars(self).get("_plugins", ())
        known = {plugin.sender.location: plugin.sender.digest for plugin in imported}
        return _received, tuple(
            (file, known[str(file)] if str(file) in known else digest_of_file(file))
            for file in self.files
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Plugins:
        return self

    @cached_property
    def tasks(self) -> Catalogue[Task]:
        from grokbench.tasks.base import Task

        return self._catalogue("task", Task)  # type: ignore[type-abstract]

    @cached_property
    def architectures(self) -> Catalogue[Architecture]:
        from grokbench.architectures.base import Architecture

        return self._catalogue("architecture", Architecture)  # type: ignore[type-abstract]

    @cached_property
    def optimizers(self) -> Catalogue[Optimizer]:
        from grokbench.optimizers.base import Optimizer

        return self._catalogue("optimizer", Optimizer)  # type: ignore[type-abstract]

    @cached_property
    def measures(self) -> Catalogue[Measure]:
        from grokbench.measures.base import Measure

        return self._catalogue("measure", Measure)  # type: ignore[type-abstract]

    @cached_property
    def detectors(self) -> Catalogue[Detector]:
        from grokbench.phenomena.base import Detector

        return self._catalogue("detector", Detector)  # type: ignore[type-abstract]

    def origins(self, cli: click.Group | None = None) -> list[Origin]:
        """Every plugin, in the order in which the plugins are loaded.

        With `cli`, the plugins' commands are added to it, so that conflicts of names are found.
        """
        import click

        self._register_all()
        commands = add_commands(cli or click.Group())
        return [*(plugin.origin() for plugin in self._plugins), *commands]

    def absent(self) -> tuple[str, ...]:
        """The definitions that a suite names and whose plugin is not loaded: none here."""
        return ()

    def error(self, file: Path) -> str | None:
        """What is wrong with one of `files` or with what it registers; None if nothing is."""
        self._register_all()
        location = os.path.realpath(file)
        return next(p.origin().error for p in self._plugins if p.sender.location == location)

    def digests(self) -> dict[str, str]:
        """The digest of the code of every plugin but grokbench's own, by the plugin's name."""
        found = {plugin.sender.package: self._digest(plugin.sender) for plugin in self._plugins}
        return {name: digest for name, digest in found.items() if digest}

    def code_behind(self, used: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
        """The plugins' code that some definitions come from.

        Args:
            used: the kind and the name of each definition.

        Returns:
            `detector final_accuracy` → the `plugin` (the name of the package, or of the single file
            without its folder), the `version` of a package, and the `sha256` of the code where the code
            is known. Grokbench's own definitions and unknown names are left out.
        """
        found = {}
        for kind, name in used:
            with suppress(UnknownNameError, PluginError):
                catalogue: Catalogue[Any] = getattr(self, f"{kind}s")
                sender = catalogue.sender(name)
                told = {
                    "plugin": Path(sender.package).name,
                    "version": sender.version,
                    "sha256": self._digest(sender),
                }
                if sender.package != "grokbench" and (sender.version or told["sha256"]):
                    found[f"{kind} {name}"] = {key: value for key, value in told.items() if value}
        return found

    def are_built_in(self, used: Iterable[tuple[str, str]]) -> bool:
        """Whether definitions, each given by its kind and its name, are all grokbench's own."""
        try:
            return all(
                getattr(self, f"{kind}s").sender(name).package == "grokbench" for kind, name in used
            )
        except (UnknownNameError, PluginError):
            return False

    def _digest(self, sender: Sender) -> str | None:
        """The digest of a plugin's code; None for grokbench's own, whose versions are numbers."""
        if sender.digest is None and sender.package != "grokbench":
            sender.digest = digest_of_package(sender.location)
        return sender.digest

    @cached_property
    def _plugins(self) -> tuple[Plugin, ...]:
        own = Sender("grokbench", __version__, "grokbench.builtin")
        return (
            Plugin(own, partial(importlib.import_module, own.location)),
            *(Plugin.at(point) for point in entry_points_of(DEFINITION_GROUP)),
            *(
                # The digest is taken together with the import: the file may be edited later.
                Plugin(
                    Sender(str(file), "", str(file), digest=digest_of_file(file)),
                    partial(import_file, file),
                )
                for file in self.files
            ),
        )

    def _register_all(self) -> None:
        _ = self.tasks, self.architectures, self.optimizers, self.measures, self.detectors

    def _catalogue(self, kind: str, base: type[T]) -> Catalogue[T]:
        catalogue = Catalogue(kind, base, [plugin.sender for plugin in self._plugins])
        for plugin in self._plugins:
            plugin.call(f"register_{kind}s", register=partial(catalogue.add, sender=plugin.sender))
        return catalogue


def _received(*files: tuple[Path, str | None]) -> Plugins:
    """The plugins that a pickle holds: files, each with the digest of its code.

    Raises:
        PluginError: a file is not as it was when the pickle was made.
    """
    for file, digest in files:
        if digest_of_file(file) != digest:
            raise PluginError(
                f"the plugin {file} was changed after it had been loaded, so it is not loaded a second "
                f"time beside its former self; load the suite again"
            )
    return _imported_once(files)


@cache
def _imported_once(files: tuple[tuple[Path, str | None], ...]) -> Plugins:
    """One object for each tuple of files with these digests."""
    return Plugins([file for file, _ in files])
