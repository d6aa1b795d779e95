"""Reads a suite file, and reports all mistakes at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from grokbench.definition import Location
from grokbench.errors import SuiteError
from grokbench.plugins import Plugins
from grokbench.plugins.stand_ins import PluginsWithStandIns
from grokbench.suite.claims import read_claim
from grokbench.suite.experiments import read_experiment
from grokbench.suite.mistakes import Report
from grokbench.suite.model import Claim, Sequential, Suite
from grokbench.suite.named import named_in
from grokbench.suite.recipes import complete, read_recipe
from grokbench.suite.schema import SequentialTable, SuiteTable
from grokbench.toml import parse_toml, read_text


def load_suite(path: str | Path, files: Sequence[Path] = ()) -> Suite:
    """Read and check the suite in a TOML file.

    Args:
        path: the file.
        files: single-file plugins beside those that the suite names.

    Raises:
        SuiteError: the file has mistakes. The error lists them all in the order of the file, each
            with its place and what to write instead.
    """
    path = Path(path)
    return replace(parse_suite(read_text(path), str(path), files, folder=path.parent), path=path)


def parse_suite(
    text: str, source: str, files: Sequence[Path] = (), *, folder: Path | None = None
) -> Suite:
    """Read and check a suite from a text.

    A suite that names plugins is first read without them. They are imported only if no mistake is found
    then: nothing of a suite that is rejected is executed. To read the suite that results carry, use
    `carried_suite`.

    Args:
        text: TOML.
        source: the name of the text's origin, for messages; its stem is the suite's default name.
        files: single-file plugins beside those that the suite names.
        folder: the folder of the suite's own plugins. For a plugin that is not there, the one of
            `files` with the same file name is used. Without a folder, no other file is used.

    Raises:
        SuiteError: as `load_suite`.
    """
    document = parse_toml(text, source)
    report = Report(document)
    own = find_plugins(listed_plugins(document), folder, files, report)
    if set(own.values()) - {Path(file).resolve() for file in files}:
        # The mistakes that can be found without the suite's own code.
        read_suite(document, text, source, PluginsWithStandIns(files, named_in(document)), report)
    report.forget_suspicions()
    plugins = Plugins.load([*files, *own.values()])
    return read_suite(document, text, source, plugins, report, own)


def read_suite(
    document: Mapping[str, Any],
    text: str,
    source: str,
    plugins: Plugins,
    report: Report,
    own: Mapping[int, Path] | None = None,
) -> Suite:
    """Read and check a suite.

    Args:
        document: the parsed text.
        text, source: as for `parse_suite`.
        plugins: what has the suite's definitions.
        report: has the mistakes that are known already.
        own: for each index in the suite's `plugins`, the file; its errors are mistakes of the suite.

    Raises:
        SuiteError: as `load_suite`.
    """
    table = SuiteTable.read(document, (), report)
    name = Path(source).stem if table.name is None else table.name
    report.add_bad_name(("name",), name)
    recipes = {
        key: read_recipe(given, ("recipes", key), plugins, report)
        for key, given in tables(table.recipes).items()
    }
    sequential = read_sequential(table.sequential, report)
    drafts = {
        key: read_experiment(key, given, recipes, plugins, sequential, report)
        for key, given in tables(table.experiments).items()
    }
    claims = {
        key: read_claim(key, given, drafts, plugins, report)
        for key, given in tables(table.claims).items()
    }
    if table.experiments == {}:
        report.add(
            ("experiments",), "is empty, so there is nothing to run; write [experiments.<name>]"
        )
    for index, file in (own or {}).items():
        error = plugins.error(file)
        if error:
            report.add(("plugins", index), f"this plugin has an error: {error}")
    if sequential is not None:
        check_claims_of_sequential(table, sequential, report)
    mistakes = report.mistakes()
    if mistakes:
        raise SuiteError(source, mistakes)
    return Suite(
        name=name,
        experiments={key: draft.experiment for key, draft in drafts.items() if draft.experiment},
        claims={key: claim for key, claim in claims.items() if claim},
        title=table.title or "",
        citation=table.citation or "",
        plugins=plugins,
        text=text,
        sequential=sequential,
    )


def read_sequential(given: Mapping[str, Any] | None, report: Report) -> Sequential | None:
    """The looks at the data; None if the suite has none, and something to go on with if a key is wrong."""
    if given is None:
        return None
    at: Location = ("sequential",)
    table = SequentialTable.read(given, at, report)
    looks = complete(table.looks) or (2,)
    for index, (before, seeds) in enumerate(pairwise(looks), start=1):
        if seeds <= before:
            report.add(
                (*at, "looks", index),
                f"each look has more seeds than the look before, so more than {before}, not {seeds}",
            )
            return Sequential((2,))
    if table.futility is not None and table.looks and table.futility <= looks[0]:
        report.add(
            (*at, "futility"),
            f"should be more than {looks[0]} (the first look), not {table.futility}: no claim would "
            f"have a second look",
        )
    return Sequential(
        looks,
        table.first_seed or 0,
        table.spending or Sequential.spending,
        table.futility,
    )


def check_claims_of_sequential(table: SuiteTable, sequential: Sequential, report: Report) -> None:
    """Report what leaves a sequential suite without verdicts: no claims, claims that select seeds, and
    claims that take more seeds than the last look has.
    """
    if not table.claims:
        report.add(
            ("claims",),
            "is missing, and [sequential] trains what claims wait for; write [claims.<name>], or "
            "leave out [sequential] and write `seeds` in each experiment",
        )
    last = sequential.looks[-1]
    wrong = list(sequential.looks) != (table.sequential or {}).get("looks")
    for name, claim in tables(table.claims).items():
        least = claim.get("minimum_seeds", Claim.minimum_seeds)
        if type(least) is int and least > last and not wrong:
            report.add(
                ("claims", name, "minimum_seeds"),
                f"is {least}, but the last look has {last} seeds, so that the claim can never be decided; "
                f"write {last} or less, or a later look",
            )
        where = claim.get("where")
        if isinstance(where, dict) and "seed" in where:
            report.add(
                ("claims", name, "where", "seed"),
                "leave this out: [sequential] says which seeds are judged at each look",
            )


def tables(
    given: Mapping[str, Mapping[str, Any] | None] | None,
) -> dict[str, Mapping[str, Any]]:
    """The tables by name; a wrong one is empty."""
    return {name: table or {} for name, table in (given or {}).items()}


def listed_plugins(document: Mapping[str, Any]) -> list[str | None]:
    """The suite's `plugins`; None for a wrong entry, which `SuiteTable` reports."""
    listed = document.get("plugins")
    if not isinstance(listed, list):
        return []
    return [name if isinstance(name, str) else None for name in listed]


def find_plugins(
    names: Sequence[str | None], folder: Path | None, files: Sequence[Path], report: Report
) -> dict[int, Path]:
    """For each index in the suite's `plugins`: the file."""
    found = {}
    for index, name in enumerate(names):
        if name is not None and "\0" not in name:
            # Unlike `Path.resolve`, this accepts links that lead in a circle; loading says what is wrong.
            same = [Path(file).resolve() for file in files if Path(file).name == Path(name).name]
            path = None if folder is None else Path(os.path.realpath(folder / name))
            there = path is not None and os.path.exists(path)  # noqa: PTH110 (never raises)
            if same and not there:
                found[index] = same[0]
            elif path is not None:
                found[index] = path
            else:
                report.add(
                    ("plugins", index),
                    f"is not loaded, because the text of a suite is in no folder; give the file of "
                    f"{name!r} (files=[...]), or the folder of the suite's plugins (folder=...)",
                )
    report.add_repeats(("plugins",), list(found.values()))
    return found
