"""Reads the claims: a detector, its experiments, the part of their grid, and the rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from grokbench.definition import Location, written
from grokbench.errors import nearest
from grokbench.labels import labels_of, same_label
from grokbench.plugins import Plugins
from grokbench.suite.choices import Chosen, choose
from grokbench.suite.experiments import Draft
from grokbench.suite.mistakes import Report
from grokbench.suite.model import Claim, Rule
from grokbench.suite.schema import EITHER_BOUND, ClaimTable, RuleTable, model_size

if TYPE_CHECKING:
    from grokbench.phenomena.base import Detector

Drafts = Mapping[str, Draft]


def read_claim(
    name: str, given: Mapping[str, Any], drafts: Drafts, plugins: Plugins, report: Report
) -> Claim | None:
    """The claim, or None if anything in it is wrong."""
    at: Location = ("claims", name)
    report.add_bad_name(at, name)
    table = ClaimTable.read(given, at, report)
    detector = _detector(table, plugins, at, report)
    roles = detector.definition.roles if detector else None
    experiments = _experiments(table, given, roles, at, report)
    for role, experiment in experiments.items():
        if experiment not in drafts:
            at_role = (*at, "experiments", role) if table.experiments else (*at, "experiment")
            report.add(
                at_role, f"there is no experiment {experiment!r}; {nearest(experiment, drafts)}"
            )
    # If an experiment is misspelt, the dimension may be one of that experiment.
    known = all(name in drafts for name in experiments.values())
    looked_at = {name: drafts[name] for name in experiments.values()} if known else {}
    where = _where(table.where or {}, looked_at, (*at, "where"), report)
    if table.places and "model_size" not in where:
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
    axes = {
        name: draft.axes["model_size"]
        for name, draft in looked_at.items()
        if "model_size" in draft.axes
    }
    sizes = [
        _value("model_size", size, axes, (*at, key, index), report)
        for key, group in places.items()
        if isinstance(group, list)
        for index, size in enumerate(group)
    ]
    return {"model_size": sizes} if sizes else {}


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
        axes = {
            name: draft.axes[dimension]
            for name, draft in looked_at.items()
            if dimension in draft.axes
        }
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


def _value(
    dimension: str,
    given: Any,
    axes: Mapping[str, tuple[Any, ...] | None],
    at: Location,
    report: Report,
) -> Any:
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
    for name, axis in axes.items():
        if axis is not None:
            labels = list(dict.fromkeys(labels_of(axis)))
            found.append(next((label for label in labels if _matches(given, label)), None))
            if found[-1] is None:
                known = ", ".join(str(label) for label in labels)
                report.add(at, f"{name!r} has no {dimension} {written(given)}; it has {known}")
    if not found:
        return given
    return None if None in found else found[0]


def _names(experiments: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in experiments)


def _matches(given: Any, label: Any) -> bool:
    """Whether a value in the file is a label of an axis. `true` is not 1, and "10" is not 10."""
    if isinstance(given, bool) or isinstance(given, str) != isinstance(label, str):
        return False
    return same_label(given, label)


def _rule(given: Mapping[str, Any], at: Location, report: Report) -> Rule | None:
    table = RuleTable.read(given, at, report)
    if ("at_least" in given) == ("at_most" in given):
        report.add(at, EITHER_BOUND)
        return None
    if table.at_least is None and table.at_most is None:
        return None
    return Rule(table.at_least, table.at_most)
