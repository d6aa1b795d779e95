"""Stand-ins for definitions whose plugin is not loaded.

Reading a suite without running its plugins takes something in the place of the definitions that only the
plugins have. A stand-in has the definition's name and version, takes any options, and answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from grokbench.catalogue import Catalogue, Sender
from grokbench.definition import Definition
from grokbench.errors import PluginError
from grokbench.plugins.registry import Plugins

T = TypeVar("T", bound=Definition)

Named = Mapping[tuple[str, str], int]
"""Kind and name of definitions, such as `("detector", "dip")`, each with its version."""


class NotLoadedError(PluginError):
    """A stand-in was asked for what only the plugin's code can answer."""


class AnyOptions(BaseModel):
    """Options that nobody can check."""

    model_config = ConfigDict(extra="allow", frozen=True)


class StandIn(Definition):
    """Stands in for a definition whose plugin is not loaded."""

    Options = AnyOptions


class PluginsWithStandIns(Plugins):
    """Plugins, and stand-ins for the definitions that none of them has.

    Args:
        files: single-file plugins.
        named: the definitions that a suite names.
    """

    def __init__(self, files: Iterable[Any], named: Named) -> None:
        super().__init__(tuple(files))
        self.named = named

    def absent(self) -> tuple[str, ...]:
        """The definitions that are named and not loaded, such as `detector 'dip'`."""
        return tuple(
            f"{kind} {name!r}" for kind, name in sorted(self.named) if self.stands_in(kind, name)
        )

    def stands_in(self, kind: str, name: str) -> bool:
        """Whether a definition of that name is a stand-in."""
        catalogue: Catalogue[Any] = getattr(self, f"{kind}s")
        return name in catalogue and issubclass(catalogue[name], StandIn)

    def _catalogue(self, kind: str, base: type[T]) -> Catalogue[T]:
        catalogue = super()._catalogue(kind, base)
        sender = Sender("plugins that are not loaded", "", "nowhere")
        for (of_kind, name), version in self.named.items():
            if of_kind == kind:
                catalogue.add_stand_in(_stand_in(kind, base, name, version), sender)
        return catalogue


def _stand_in(kind: str, base: type[T], name: str, version: int) -> type[T]:
    """A class that is complete, and of which every method raises `NotLoadedError`."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise NotLoadedError(f"the {kind} {name!r} is not loaded; give its plugin")

    asked = {
        attribute: property(unknown) if isinstance(value, property) else unknown
        for attribute, value in vars(base).items()
        if not attribute.startswith("_") and (callable(value) or isinstance(value, property))
    }
    # Nobody knows the roles of the detector or the quantities of the measure.
    told = {"name": name, "version": version, "roles": None, "quantities": {}}
    return type(f"StandIn_{kind}", (StandIn, base), {**asked, **told})
