"""Reads the claims: a detector, its experiments, the part of their grid, and the rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grokbench.definition import Location, written
from grokbench.errors import meant, nearest
from grokbench.labels import labels_of, text_of
from grokbench.plugins import Plugins
from grokbench.suite.choices import Chosen, choose
from grokbench.suite.experiments import Draft
from grokbench.suite.mistakes import Report
from grokbench.suite.model import Claim, Rule
from grokbench.suite.schema import EITHER_BOUND, ClaimTable, RuleTable, model_size

if TYPE_CHECKING:
    from grokbench.phenomena.base import Detector

Drafts = Mapping[str, Draft]

Key = tuple[type, str]

Axes = Mapping[str, Mapping[Key, Any] | None]
"""The labels along a dimension by their keys, for each experiment; None where they are unknown."""

LISTED = 20
"""The most labels that a message lists."""


def read_claim(
    name: str, given: Mapping[str, Any], drafts: Drafts, plugins: Plugins, report: Report
) -> Claim | None:
    """The claim, or None if anything in it is wrong."""
    at: Location = ("claims", name)
    report.add_bad_name(at, name)
    table = ClaimTable.read(given, at, report)
    given = ClaimTable.repaired(given)
    detector = _detector(table, plugins, at, report)
    roles = detector.definition.roles if detector else None
    experiments = _experiments(table, given, roles, at, report)
    for role, experiment in experiments.items():
        if experiment not in drafts:
            at_role = (*at, "experiments", role) if table.experiments else (*at, "experiment")
            report.add(
                at_role, f"there is no experiment {experiment!r}; {nearest(experiment, drafts)}"
            )
    # If an experiment is misspelt, the dimension may be one of the experiment that was meant.
    guesses = [name if name in drafts else meant(name, drafts) for name in experiments.values()]
    looked_at = {name: drafts[name] for name in guesses if name} if all(guesses) else {}
    where = _where(table.where or {}, looked_at, (*at, "where"), report)
    places = table.places or (detector.choice.options.get("places") if detector else None)
    if places and "model_size" in where:
        _check_selected(places, where["model_size"], (*at, "where", "model_size"), report)
    elif table.places:
        where |= _sizes_of(table.places, looked_at, (*at, "places"), report)
    rule = None if table.rule is None else _rule(table.rule, (*at, "rule"), report)
    if table.statement is None or detector is None or rule is None:
        return None
    return Claim(
        name=name,
        statement=table.statement,
        detector=detector.choice,
        experiments=experiments,
        rule=rule,
        where=where,
        source=table.source or "",
        minimum_seeds=table.minimum_seeds or Claim.minimum_seeds,
        expect=table.expect or Claim.expect,
        calibrated_on=table.calibrated_on or "",
    )


def _detector(
    table: ClaimTable, plugins: Plugins, at: Location, report: Report
) -> Chosen[Detector] | None:
    """The detector. The table `places` of the claim becomes an option of the detector."""
    given = {"name": table.detector} if isinstance(table.detector, str) else table.detector
    at_detector = (*at, "detector")
    if table.places is None or given is None:
        return choose(table.detector, plugins.detectors, at_detector, report)
    if "places" in given:
        report.add((*at, "places"), "write places here or as an option of the detector, not both")
        return choose(table.detector, plugins.detectors, at_detector, report)
    # The file has no `detector.places`, so mistakes in this option are shown in `places`.
    of_detector = Report(report.document)
    chosen = choose({**given, "places": table.places}, plugins.detectors, at_detector, of_detector)
    for location, message in of_detector.found():
        option = location[len(at_detector) :]
        if option == ("places",) and message.startswith("unknown key"):
            name = given.get("name")
            report.add(
                (*at, "places"), f"the detector {name!r} has no places; leave this table out"
            )
        elif option and str(option[0]).startswith("places"):
            report.add((*at, *option), message)
        else:
            report.add(location, message)
    return chosen


def _sizes_of(
    places: Mapping[str, Any], looked_at: Drafts, at: Location, report: Report
) -> dict[str, Any]:
    """The model sizes of all places as a selection. The detector refuses sizes named twice."""
    axes = _axes("model_size", looked_at)
    sizes = [
        _value("model_size", size, axes, (*at, key, index), report)
        for key, group in places.items()
        if isinstance(group, list)
        for index, size in enumerate(group)
    ]
    return {"model_size": sizes} if sizes else {}


def _check_selected(places: Any, selected: Any, at: Location, report: Report) -> None:
    """Report the sizes of places that a claim does not select: the claim could never be judged."""
    chosen = {text_of(size) for size in (selected if isinstance(selected, list) else [selected])}
    named = [
        size
        for sizes in (places.values() if isinstance(places, Mapping) else ())
        for size in (sizes if isinstance(sizes, list) else ())
    ]
    missing = [str(size) for size in named if text_of(size) not in chosen]
    if missing and "None" not in chosen:
        report.add(
            at,
            f"leaves out {', '.join(missing)}, which `places` names, so that the claim can never be "
            f"judged; leave out model_size here, or select these sizes too",
        )


def _experiments(
    table: ClaimTable,
    given: Mapping[str, Any],
    roles: tuple[str, ...] | None,
    at: Location,
    report: Report,
) -> dict[str, str]:
    """Role → experiment, without the wrong ones."""
    if "experiments" in given and "experiment" in given:
        report.add((*at, "experiment"), "write either experiment or experiments, not both")
        return {}
    if "experiments" not in given and "experiment" not in given:
        report.add((*at, "experiment"), f"is missing; {_how_to_write(roles)}")
        return {}
    if table.experiment is not None:
        if roles is not None and len(roles) != 1:
            report.add(
                (*at, "experiment"), f"is not enough for this detector; {_how_to_write(roles)}"
            )
            return {}
        return {(roles or ("experiment",))[0]: table.experiment}
    found = table.experiments or {}
    if roles is not None and "experiments" in given:
        at_roles = (*at, "experiments")
        for role in found:
            if role not in roles:
                report.add(
                    (*at_roles, role), f"is not a role of the detector; {nearest(role, roles)}"
                )
        for role in roles:
            if role not in found:
                report.add(
                    (*at_roles, role), "is missing; name the experiment that plays this role"
                )
    return {role: name for role, name in found.items() if name is not None}


def _how_to_write(roles: tuple[str, ...] | None) -> str:
    if roles is None or len(roles) == 1:
        return "write experiment = '…'"
    return f"write experiments = {{ {', '.join(f'{role} = …' for role in roles)} }}"


def _where(
    given: Mapping[str, Any], looked_at: Drafts, at: Location, report: Report
) -> dict[str, Any]:
    """The selection, with the labels of the datasets' coordinates.

    At least one of the experiments must have the dimension. An experiment without it is not cut.
    """
    where = {}
    for dimension, values in given.items():
        at_dimension = (*at, dimension)
        axes = _axes(dimension, looked_at)
        if looked_at and not axes:
            known = {axis for draft in looked_at.values() for axis in draft.axes}
            report.add(
                at_dimension,
                f"is not a dimension of {_names(looked_at)}; {nearest(dimension, known)}",
            )
        if values == []:
            report.add(at_dimension, "selects nothing; list one value or more")
        elif isinstance(values, list):
            found = [
                _value(dimension, value, axes, (*at_dimension, index), report)
                for index, value in enumerate(values)
            ]
            report.add_repeats(at_dimension, found)
            where[dimension] = found
        else:
            where[dimension] = _value(dimension, values, axes, at_dimension, report)
    return where


def _axes(dimension: str, looked_at: Drafts) -> Axes:
    """The labels along a dimension, for each experiment that has the dimension."""
    return {
        name: _labels(draft.axes[dimension])
        for name, draft in looked_at.items()
        if dimension in draft.axes
    }


def _value(dimension: str, given: Any, axes: Axes, at: Location, report: Report) -> Any:
    """The label of a selected value; None if an axis does not have the value.

    Where no axis is known, the value itself.
    """
    if dimension == "model_size":
        try:
            given = model_size(given).label
        except ValueError as error:
            report.add(at, f"{error}, not {written(given)}")
            return None
    found = []
    for name, labels in axes.items():
        if labels is not None:
            found.append(labels.get(_key(given)))
            if found[-1] is None:
                report.add(
                    at, f"{name!r} has no {dimension} {written(given)}; it has {_some(labels)}"
                )
    if not found:
        return given
    return None if None in found else found[0]


def _labels(axis: Sequence[Any] | None) -> dict[Key, Any] | None:
    """The labels of an axis; None if the axis is not known."""
    return None if axis is None else {_key(label): label for label in labels_of(axis)}


def _key(value: Any) -> Key:
    """What a value in the file and its label on an axis share. `true` is not 1, and "10" is not 10."""
    kind = type(value) if isinstance(value, bool | str) else float
    return kind, text_of(value)


def _some(labels: Mapping[Key, Any]) -> str:
    """The labels of an axis in words; of many labels, the first and the last."""
    texts = [str(label) for label in labels.values()]
    return ", ".join(texts if len(texts) <= LISTED else [*texts[:LISTED], "…", texts[-1]])


def _names(experiments: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in experiments)


def _rule(given: Mapping[str, Any], at: Location, report: Report) -> Rule | None:
    table = RuleTable.read(given, at, report)
    given = RuleTable.repaired(given)
    if ("at_least" in given) == ("at_most" in given):
        report.add(at, EITHER_BOUND)
        return None
    if table.at_least is None and table.at_most is None:
        return None
    return Rule(table.at_least, table.at_most)
