"""A claim's rule and a detector's finding become a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, UnknownNameError, nearest
from grokbench.phenomena.base import Detector, Finding
from grokbench.record import Status
from grokbench.suite.model import Claim, Rule, Suite

SCHEMA = 1
"""Raised when the layout of the verdicts document changes."""


class Outcome(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not_reproduced"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"

    @property
    def description(self) -> str:
        """The outcome in words, for tables."""
        return self.value.replace("_", " ")

    @property
    def style(self) -> str:
        """The colour of the outcome on a terminal."""
        return {
            Outcome.REPRODUCED: "green",
            Outcome.NOT_REPRODUCED: "red",
            Outcome.UNDECIDED: "yellow",
            Outcome.NOT_RUN: "dim",
        }[self]


@dataclass(frozen=True)
class Verdict:
    """A claim, what became of it, the finding that it rests on (if any), and why."""

    claim: Claim
    outcome: Outcome
    finding: Finding | None
    reason: str


def score(
    suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
) -> tuple[Verdict, ...]:
    """Judge every claim of a suite, in the order of the file.

    Args:
        suite: whose claims.
        tree: the results, one group an experiment; groups may be missing.
        detectors: the known detectors by name.

    Raises:
        UnknownNameError: a claim's detector is not among them.
        OptionsError: a claim's detector does not take its options.
    """
    return tuple(
        judge(claim, datasets_of(claim, tree), detector_of(claim, detectors))
        for claim in suite.claims.values()
    )


def detector_of(claim: Claim, detectors: Mapping[str, type[Detector]]) -> Detector:
    """The detector that a claim names, with the claim's options.

    Raises:
        UnknownNameError: nobody registered it.
        OptionsError: it does not take these options.
    """
    try:
        kind = detectors[claim.detector.name]
    except KeyError:
        raise UnknownNameError(
            f"claim {claim.name!r}: there is no detector {claim.detector.name!r}; "
            f"{nearest(claim.detector.name, detectors)}"
        ) from None
    return kind.from_options(claim.detector.options)


def datasets_of(claim: Claim, tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The dataset that plays each role, before the claim's selection; missing ones are left out."""
    return {
        role: tree[experiment].to_dataset()
        for role, experiment in claim.experiments.items()
        if experiment in tree.children
    }


def selected(claim: Claim, datasets: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The datasets with the claim's `where` applied; every dimension stays, even at length one.

    Raises:
        NotEnoughDataError: `where` names a dimension that no dataset has, or a value that one of
            the datasets with that dimension does not have.
    """
    for dimension in claim.where:
        if not any(dimension in dataset.dims for dataset in datasets.values()):
            known = sorted({str(name) for dataset in datasets.values() for name in dataset.dims})
            raise NotEnoughDataError(
                f"where.{dimension}: there is no such dimension; {nearest(dimension, known)}"
            )
    return {role: _select(dataset, claim.where) for role, dataset in datasets.items()}


def _select(dataset: xr.Dataset, where: Mapping[str, Any]) -> xr.Dataset:
    for dimension, wanted in where.items():
        if dimension not in dataset.dims:
            continue
        labels = dataset[dimension].to_numpy().tolist()
        positions = set()
        for value in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
            found = [index for index, label in enumerate(labels) if _same(label, value)]
            if not found:
                raise NotEnoughDataError(
                    f"where.{dimension}: there is no {value!r}; "
                    f"known: {', '.join(str(label) for label in labels)}"
                )
            positions.update(found)
        dataset = dataset.isel({dimension: sorted(positions)})
    return dataset


def _same(label: Any, value: Any) -> bool:
    """Whether a coordinate's label is the value that a suite wrote: 64 is "64" and "1x64"."""
    if isinstance(label, (int, float)) and isinstance(value, (int, float)):
        return math.isclose(label, value, rel_tol=1e-9)
    return str(label) == str(value).removeprefix("1x")


def judge(claim: Claim, datasets: Mapping[str, xr.Dataset], detector: Detector) -> Verdict:
    """Say what became of one claim.

    Args:
        claim: the claim, its rule fixed before any run.
        datasets: one dataset for each role, before the claim's selection is applied.
        detector: the claim's detector, with its options.

    Returns:
        NOT_RUN when a role has no finished run. UNDECIDED when the detector had too little to go
        on, when it rests on fewer seeds than the claim asks for, or when the interval has the
        rule's bound inside. Cells without a finished run are left out, and the reason counts them.
    """
    absent = [name for role, name in claim.experiments.items() if role not in datasets]
    if absent:
        return Verdict(claim, Outcome.NOT_RUN, None, f"no results of {', '.join(absent)}")
    try:
        data = selected(claim, datasets)
    except NotEnoughDataError as error:
        return Verdict(claim, Outcome.UNDECIDED, None, str(error))
    for role, dataset in data.items():
        if not bool((dataset["status"] == int(Status.DONE)).any()):
            reason = f"no finished run in {claim.experiments[role]}{_missing([dataset])}"
            return Verdict(claim, Outcome.NOT_RUN, None, reason)
    missing = _missing(data.values())
    try:
        finding = detector.find(data)
    except NotEnoughDataError as error:
        return Verdict(claim, Outcome.UNDECIDED, None, f"{error}{missing}")
    except Exception as error:  # noqa: BLE001 - a plugin's mistake must not cost the other verdicts
        reason = f"detector {claim.detector.name!r} raised {type(error).__name__}: {error}"
        return Verdict(claim, Outcome.UNDECIDED, None, reason)
    outcome, because = _decide(claim, finding)
    return Verdict(claim, outcome, finding, f"{because}{finding.evidence}{missing}")


def _decide(claim: Claim, finding: Finding) -> tuple[Outcome, str]:
    """The outcome, and what precedes the evidence when there is none."""
    if not finding.low <= finding.effect <= finding.high:
        return Outcome.UNDECIDED, "the effect is not a number within its interval: "
    if finding.seeds < claim.minimum_seeds:
        return (
            Outcome.UNDECIDED,
            f"rests on {finding.seeds} seeds where {claim.minimum_seeds} are asked for: ",
        )
    holds = _holds(claim.rule, finding)
    if holds is None:
        return Outcome.UNDECIDED, f"the interval lies on both sides of the rule ({claim.rule}): "
    return (Outcome.REPRODUCED if holds else Outcome.NOT_REPRODUCED), ""


def _holds(rule: Rule, finding: Finding) -> bool | None:
    """Whether the whole interval lies on the rule's side; None when neither side has all of it."""
    low, high = finding.low, finding.high
    if rule.at_least is not None and (low >= rule.at_least or high < rule.at_least):
        return low >= rule.at_least
    if rule.at_most is not None and (high <= rule.at_most or low > rule.at_most):
        return high <= rule.at_most
    return None


def _missing(datasets: Iterable[xr.Dataset]) -> str:
    """` (3 of 60 runs are left out: 2 not run, 1 diverged)`, or nothing when none is."""
    counts: Counter[int] = Counter()
    for dataset in datasets:
        counts.update(dataset["status"].to_numpy().ravel().tolist())
    left_out = [
        f"{counts[status]} {status.name.lower().replace('_', ' ')}"
        for status in Status
        if status is not Status.DONE and counts[status]
    ]
    if not left_out:
        return ""
    total = counts.total()
    return f" ({total - counts[Status.DONE]} of {total} runs are left out: {', '.join(left_out)})"


def verdicts_document(suite: Suite, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The verdicts as JSON has them: `verdicts.json`, `grokbench score --json`.

    Returns:
        `schema` (1); `suite`, `title`, `citation`; `totals`, how many claims had each outcome; and
        `claims`, in the order of the file, each with `claim` (its name), `statement`, `source`,
        `detector` (`name`, `options`), `experiments` (role to name), `where`, `rule` (`at_least`
        or `at_most`), `minimum_seeds`, `outcome`, `reason`, and `finding`: null, or `effect`,
        `low`, `high`, `unit`, `seeds`, `evidence`, `details`. JSON has no infinities and no NaN:
        they are written "inf", "-inf" and null.
    """
    judged = list(verdicts)
    outcomes = Counter(verdict.outcome for verdict in judged)
    return {
        "schema": SCHEMA,
        "suite": suite.name,
        "title": suite.title,
        "citation": suite.citation,
        "totals": {outcome.value: outcomes[outcome] for outcome in Outcome},
        "claims": [_entry(verdict) for verdict in judged],
    }


def _entry(verdict: Verdict) -> dict[str, Any]:
    claim, finding = verdict.claim, verdict.finding
    rule = {name: bound for name, bound in asdict(claim.rule).items() if bound is not None}
    return {
        "claim": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "detector": {"name": claim.detector.name, "options": _plain(claim.detector.options)},
        "experiments": dict(claim.experiments),
        "where": _plain(claim.where),
        "rule": rule,
        "minimum_seeds": claim.minimum_seeds,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "finding": None
        if finding is None
        else {item.name: _plain(getattr(finding, item.name)) for item in fields(finding)},
    }


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
