"""The suite that results carry, read without running code that the results name.

Results may come from a stranger. Their suite's text names plugins, and a plugin is a program. So only
plugins that the reader chose are loaded. Stand-ins take the place of all other definitions, with the
options that are stored with the results. What needs no plugin still works.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grokbench.errors import PluginError, ResultsError, SuiteError
from grokbench.plugins.stand_ins import PluginsWithStandIns
from grokbench.store import provenance
from grokbench.suite.load import listed_plugins, read_suite
from grokbench.suite.mistakes import Report
from grokbench.suite.model import Suite
from grokbench.suite.named import named_in
from grokbench.toml import parse_toml

if TYPE_CHECKING:
    import xarray as xr


def carried_suite(
    tree: xr.DataTree,
    files: Sequence[Path] = (),
    *,
    trusted: str | Path | None = None,
    source: str = "",
) -> Suite:
    """Read the suite that results carry. No code is executed that the results bring or name.

    Definitions come from grokbench, from installed packages and from `files`. A definition that none of
    them has is replaced by a stand-in, and `suite.plugins.absent()` lists it. `score` does not judge a
    claim whose detector is a stand-in. A suite with stand-ins cannot be trained.

    Args:
        tree: the results, as `open_results` gives them.
        files: single-file plugins that the reader trusts.
        trusted: the folder of the results. The plugins that the suite names are executed if they lie
            in this folder.
        source: the name of the results, for messages.

    Raises:
        SuiteError: the suite does not fit the definitions that are loaded, or a plugin has an error.
        PluginError: with `trusted`, a plugin does not lie in the folder.
        ResultsError: grokbench did not write the results.
    """
    told = provenance(tree)["suite"]
    source = source or told["name"]
    document: Mapping[str, Any] = parse_toml(told["text"], source)
    own: dict[int, Path] = {}
    if trusted is not None:
        given = {Path(file).name for file in files}
        for index, name in enumerate(listed_plugins(document)):
            if name is not None and "\0" not in name and Path(name).name not in given:
                own[index] = inside(Path(trusted), told.get("folder", "."), name)
    stored = Stored(tree)
    named = {**named_in(document), **stored.versions()}
    plugins = PluginsWithStandIns([*files, *own.values()], named)
    document = stored.filled_in(document, plugins)
    try:
        suite = read_suite(document, told["text"], told["name"], plugins, Report(document), own)
    except SuiteError as error:
        raise SuiteError(source, error.mistakes) from None
    return replace(suite, name=told["name"])


def inside(folder: Path, suite_folder: str, name: str) -> Path:
    """The file of a plugin that a suite names, which must lie in a folder; links are followed.

    Args:
        folder: the folder of the results.
        suite_folder: the folder of the suite, relative to `folder`, as the results tell it.
        name: the plugin, relative to the suite's folder.

    Raises:
        PluginError: the file is not there, or lies outside of the folder.
    """
    root = folder.resolve()
    outside = False
    for place in (root / suite_folder / name, root / name, root / Path(name).name):
        path = Path(os.path.realpath(place))
        if path.is_file():
            if path.is_relative_to(root):
                return path
            outside = True
    why = f"lies outside of {folder}" if outside else f"is not in {folder}"
    raise PluginError(
        f"the plugin {name!r}, which the results name, {why}; --trust-plugins executes files in the "
        f"folder of the results only: put a copy of the plugin there, or name the file (--plugin FILE)"
    )


class Stored:
    """What results say of the definitions that their runs and claims are made of.

    Raises:
        ResultsError: an experiment is not as grokbench writes it.
    """

    def __init__(self, tree: xr.DataTree) -> None:
        try:
            self.experiments = {
                str(name): _definitions_of(group.attrs) for name, group in tree.children.items()
            }
            self.claims: dict[str, Mapping[str, Any]] = {
                claim: told["declared"]
                for entry in provenance(tree).get("declarations", [])
                for claim, told in entry["claims"].items()
            }
            self.versions()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultsError(
                f"the experiments of these results are not described as grokbench describes them "
                f"({type(error).__name__}: {error}); judge them by a suite of yours (--suite FILE)"
            ) from None

    def versions(self) -> dict[tuple[str, str], int]:
        """Kind and name of each definition, with its version."""
        found = {
            (kind, one["name"]): one["version"]
            for definitions in self.experiments.values()
            for kind, chosen in definitions.items()
            if kind != "recipe"
            for one in chosen
        }
        for claim in self.claims.values():
            found["detector", claim["detector"]["name"]] = claim["detector"]["version"]
        return found

    def filled_in(
        self, document: Mapping[str, Any], plugins: PluginsWithStandIns
    ) -> Mapping[str, Any]:
        """The parsed suite, with all options of the definitions that are stand-ins.

        Only a plugin knows the defaults of its options, and a run's identity contains them.
        """
        filled = deepcopy(dict(document))
        for name, definitions in self.experiments.items():
            table = filled.get("experiments", {}).get(name)
            if not isinstance(table, dict):
                continue
            absent = {
                kind
                for kind in ("task", "architecture", "measure", "optimizer")
                if any(plugins.stands_in(kind, one["name"]) for one in definitions[kind])
            }
            for kind in absent & {"task", "architecture"}:
                table[kind] = _spelled(definitions[kind][0])
            if "measure" in absent:
                table["measures"] = [_spelled(one) for one in definitions["measure"]]
            if "optimizer" in absent:
                table["recipe"] = definitions["recipe"]
        for name, declared in self.claims.items():
            table = filled.get("claims", {}).get(name)
            if isinstance(table, dict) and plugins.stands_in(
                "detector", declared["detector"]["name"]
            ):
                table["detector"] = _spelled(declared["detector"])
                if "places" in table:
                    table["detector"].pop("places", None)
                table.pop("experiment", None)
                table["experiments"] = dict(declared["experiments"])
        return filled


def _definitions_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """The definitions of an experiment by kind, and its recipe as a suite writes it."""
    recipe = json.loads(attributes["recipe"])
    optimizers = recipe["optimizer"]
    swept = isinstance(optimizers, list)
    spelled = [_spelled(one) for one in (optimizers if swept else [optimizers])]
    return {
        "task": [json.loads(attributes["task"])],
        "architecture": [json.loads(attributes["architecture"])],
        "measure": json.loads(attributes.get("measures", "[]")),
        "optimizer": optimizers if swept else [optimizers],
        "recipe": {**recipe, "optimizer": spelled if swept else spelled[0]},
    }


def _spelled(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A stored definition as a suite writes it: a table of its name and options."""
    return {"name": choice["name"], **choice["options"]}
