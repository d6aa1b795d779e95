"""What was changed after training: rules, selections and plugins that differ from the declared ones.

The declarations of a suite's claims are stored with the runs (`grokbench.suite.declarations`). Here they
are compared with the suite that the results are judged by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import xarray as xr

from grokbench.amounts import count
from grokbench.claims.selection import runs_behind
from grokbench.claims.verdict import Verdict
from grokbench.claims.words import rule_in_prose
from grokbench.errors import PluginFailure
from grokbench.phenomena.base import Detector
from grokbench.plugins import guard
from grokbench.record import Status
from grokbench.store import provenance
from grokbench.suite.declarations import declarations, definitions_behind
from grokbench.suite.model import Rule, Sequential, Suite

Detectors = Mapping[str, type[Detector]]

LISTED = 12
"""The number of values that are listed."""

UNDECLARED = "declared after its runs were trained"


def changes_after_training(
    suite: Suite, tree: xr.DataTree, detectors: Detectors
) -> dict[str, tuple[str, ...]]:
    """Claim → what differs from its declaration when its runs were trained, in words.

    Each trained run that a claim looks at is compared with the declarations that it was trained under,
    from the earliest to the latest. Runs of an older grokbench have no declarations and are left out
    (`undeclared` counts them). A run that failed has shown nothing and is left out as well.

    Args:
        suite: the suite that the results are judged by.
        tree: the results.
        detectors: the known detectors by name.

    Returns:
        Claims without a difference are left out.
    """
    entries = declarations_in(tree)
    if not entries:
        return {}
    now = declarations(suite)
    found = {}
    for claim in suite.claims.values():
        trained = _trained(suite, tree, claim.name)
        used = {f"{kind} {name}" for kind, name in definitions_behind(claim, suite)}
        told = [
            words
            for entry in entries
            if trained.intersection(entry["runs"])
            for words in _differences(claim.name, used, entry, now, detectors)
        ]
        if told:
            found[claim.name] = tuple(dict.fromkeys(told))
    return found


def changed_plugins(
    suite: Suite,
    then: Iterable[Mapping[str, Any]],
    now: Mapping[str, Any],
    runs: Collection[str] | None = None,
) -> tuple[str, ...]:
    """The plugins of which code behind the suite was changed after runs had been trained.

    Args:
        suite: the suite.
        then: the declarations that runs were trained under, each with its runs.
        now: the declarations of the suite.
        runs: the runs that count; by default those of the suite, because a plugin's new version makes
            other runs.

    Returns:
        The plugins' names at training, each with both versions if they differ.
    """
    if not now["plugins"]:
        return ()
    asked = suite.runs().keys() if runs is None else set(runs)
    return tuple(
        dict.fromkeys(
            edited
            for entry in then
            if not asked.isdisjoint(entry["runs"])
            for definition in entry["plugins"]
            if (edited := _edited(definition, entry, now))
        )
    )


def plugin_warnings(suite: Suite, tree: xr.DataTree) -> list[str]:
    """What is said of plugins that are not those with which the runs in the results were trained."""
    trained = [
        str(run) for group in tree.children.values() for run in group["run_id"].to_numpy().ravel()
    ]
    then, now = declarations_in(tree), declarations(suite)
    return [plugin_warning(plugin) for plugin in changed_plugins(suite, then, now, trained)]


def plugin_warning(plugin: str) -> str:
    """What is said on standard error of a plugin that was changed."""
    return (
        f"warning: plugin {plugin} was changed after runs had been trained with it; restore the plugin, "
        f"or raise the `version` of the task, architecture, measure or optimizer that changed, so that "
        f"these runs are trained again"
    )


def marked(
    verdicts: Iterable[Verdict], suite: Suite, tree: xr.DataTree, detectors: Detectors
) -> tuple[Verdict, ...]:
    """The verdicts, each with what was changed after training (`Verdict.changes`)."""
    changes = changes_after_training(suite, tree, detectors)
    return tuple(
        replace(verdict, changes=changes.get(verdict.claim.name, ())) for verdict in verdicts
    )


def undeclared(suite: Suite, tree: xr.DataTree) -> int:
    """How many trained runs behind the claims were stored without declarations, by an older grokbench."""
    declared = {run for entry in declarations_in(tree) for run in entry["runs"]}
    return len({run for name in suite.claims for run in _trained(suite, tree, name)} - declared)


def declarations_in(tree: xr.DataTree) -> list[dict[str, Any]]:
    """The declarations that the dataset carries; none where grokbench did not write the dataset."""
    if "grokbench" not in tree.root.attrs:
        return []
    found: list[dict[str, Any]] = provenance(tree).get("declarations", [])
    return found


def _trained(suite: Suite, tree: xr.DataTree, claim: str) -> set[str]:
    """The runs that a claim looks at and that have shown something."""
    runs = runs_behind([suite.claims[claim]], tree)
    return {run for run, status in runs.items() if status in (Status.DONE, Status.DIVERGED)}


def _differences(
    name: str,
    used: set[str],
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    detectors: Detectors,
) -> Iterator[str]:
    """What differs for one claim between two declarations, in words.

    Args:
        name: of the claim.
        used: the definitions that the claim is judged with and that its runs are made of.
        then, now: all declarations at training and at judging.
        detectors: the known detectors by name.
    """
    claims, mine = then["claims"], now["claims"][name]
    # A claim that was only renamed has the digest of its declaration.
    if mine["sha256"] not in {claim["sha256"] for claim in claims.values()}:
        if name in claims:
            yield from _redeclared(claims[name]["declared"], mine["declared"], detectors)
        else:
            yield UNDECLARED
    if len(now["claims"]) < len(claims):
        # The probability of error is shared by the claims that are judged together.
        yield f"judged with fewer claims than declared (there were {len(claims)})"
    for definition in sorted(used):
        if edited := _edited(definition, then, now):
            yield f"plugin {edited} changed after training"


def _edited(definition: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The plugin of a definition that comes from other code now; "" if the code is the same or unknown.

    A package is another also if only its version differs: it may contain more than Python files.
    """
    before, after = (side["plugins"].get(definition, {}) for side in (then, now))
    differing = [
        key
        for key in ("version", "sha256")
        if before.get(key) and after.get(key) and before[key] != after[key]
    ]
    if not differing:
        return ""
    name: str = before["plugin"]
    if "version" in differing:
        return f"{name} ({before['version']} at training, {after['version']} now)"
    return name


def _redeclared(
    then: Mapping[str, Any], now: Mapping[str, Any], detectors: Detectors
) -> Iterator[str]:
    """What differs between two declarations of one claim, and what it was."""
    if then["rule"] != now["rule"]:
        yield _changed("rule", rule_in_prose(Rule(**then["rule"])))
    if then["minimum_seeds"] != now["minimum_seeds"]:
        yield _changed("minimum_seeds", then["minimum_seeds"])
    yield from _detector(then["detector"], now["detector"], detectors)
    if then["experiments"] != now["experiments"]:
        yield _changed("experiments", _what_was(then["experiments"], now["experiments"]), "were")
    if then["where"] != now["where"]:
        yield _changed("where", _what_was(then["where"], now["where"], "all"))
    before, looks = _sequential(then), _sequential(now)
    if before != looks:
        yield _changed("[sequential]", _what_was(before, looks) if before else "not there")
    # The looks say which seeds there are, and `where` which labels are selected.
    explained = {*then["where"], *now["where"], *(["seed"] if before != looks else [])}
    for role, axes in now["cells"].items():
        same_experiment = then["experiments"].get(role) == now["experiments"][role]
        for dimension, labels in axes.items() if same_experiment else ():
            was = then["cells"].get(role, {}).get(dimension, labels)
            if was != labels and dimension not in explained:
                explained.add(dimension)  # said once, although other experiments may share it
                yield _changed(f"{dimension} of {now['experiments'][role]}", _labels(was))


def _detector(
    then: Mapping[str, Any], now: Mapping[str, Any], detectors: Detectors
) -> Iterator[str]:
    if then["name"] != now["name"]:
        yield _changed("detector", then["name"])
        return
    if then["version"] != now["version"]:
        yield _changed("version of the detector", then["version"])
    options = _complete(then, detectors)
    if options != now["options"]:
        yield _changed("detector options", _what_was(options, now["options"]), "were")


def _complete(detector: Mapping[str, Any], detectors: Detectors) -> Mapping[str, Any]:
    """The declared options with the defaults of options that the detector did not have then.

    So a detector's new option is no change where its default keeps the detector as it was.
    """
    options: Mapping[str, Any] = detector["options"]
    name = detector["name"]
    if name not in detectors:
        return options
    try:
        with guard(f"detector {name!r}"):
            made = detectors[name].from_options(options)
            complete: Mapping[str, Any] = made.options.model_dump(mode="json", by_alias=True)
    except PluginFailure:  # the options may be gone
        return options
    return complete


def _sequential(declared: Mapping[str, Any]) -> dict[str, Any]:
    """The declared looks, with the defaults of keys that the table did not have then; {} without."""
    table = declared.get("sequential")
    return {} if table is None else {**asdict(Sequential(())), **table}


def _changed(what: str, before: object, verb: str = "was") -> str:
    return f"{what} changed after training ({verb} {before})"


def _what_was(then: Mapping[str, Any], now: Mapping[str, Any], absent: str = "not there") -> str:
    """What the keys that differ were: `model_size = 8, 16; smoothing = 0.1`."""
    return "; ".join(
        f"{name} = {absent if then.get(name) is None else _spelled(then[name])}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    )


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_spelled(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        more = f", …, {count(len(value), 'value')}" if len(value) > LISTED else ""
        return ", ".join(map(str, value[:LISTED])) + more
    return str(value)


def _labels(labels: list[Any]) -> str:
    """`0 to 9` for whole numbers without a gap, otherwise a list."""
    whole = all(type(label) is int for label in labels)
    if whole and len(labels) > 2 and all(after == before + 1 for before, after in pairwise(labels)):
        return f"{labels[0]} to {labels[-1]}"
    return _spelled(labels)
