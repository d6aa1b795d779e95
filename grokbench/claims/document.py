"""The verdicts as a JSON document: `verdicts.json`.

The types below are its layout. mypy checks the code against them, and `json_schema` derives the
JSON Schema docs/verdicts.schema.json from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Literal, NotRequired

import xarray as xr
from typing_extensions import TypedDict

from grokbench.claims.errors import ALPHA, METHOD
from grokbench.claims.json_value import json_value
from grokbench.claims.selection import data_of, statuses
from grokbench.claims.summary import Summary
from grokbench.claims.verdict import Look, Verdict
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Finding
from grokbench.record import Status
from grokbench.suite.model import Expected, Suite

SCHEMA: Literal[2] = 2
"""Raised when the layout of the verdicts document changes."""


Number = float | Literal["inf", "-inf"] | None
"""A number as `json_value` writes it: JSON has neither infinities nor NaN."""

OutcomeName = Literal[
    "reproduced",
    "not_reproduced",
    "undecided",
    "not_run",
    "out_of_reach",
    "too_close",
    "not_judged",
]


class DetectorEntry(TypedDict):
    name: str
    options: dict[str, Any]


class RuleEntry(TypedDict):
    """One of the two bounds."""

    at_least: NotRequired[float]
    at_most: NotRequired[float]


class FindingEntry(TypedDict):
    """What the detector found, with the 95 % interval of the claim alone."""

    effect: Number
    low: Number
    high: Number
    unit: str
    seeds: int
    evidence: str
    details: dict[str, Any]


class DecisionEntry(TypedDict):
    """The interval that was held against the rule: wider where several claims are judged together."""

    confidence: float
    low: Number
    high: Number


class CellsEntry(TypedDict):
    """The part of an experiment's grid that plays a role, and the status of its runs."""

    experiment: str
    grid: dict[str, list[Any]]
    runs: int
    done: int
    diverged: int
    failed: int
    not_run: int


class LookEntry(TypedDict):
    """One look of a sequential suite: the interval that was held against the rule."""

    seeds: int
    confidence: float
    error: float
    effect: Number
    low: Number
    high: Number
    outcome: OutcomeName


class OutlookEntry(TypedDict):
    """What deciding the claim would take; `seeds` is null where no number of seeds is known."""

    seeds: int | None
    words: str


class ClaimEntry(TypedDict):
    claim: str
    statement: str
    source: str
    detector: DetectorEntry
    experiments: dict[str, str]
    where: dict[str, Any]
    rule: RuleEntry
    minimum_seeds: int
    expect: Expected
    outcome: OutcomeName
    as_expected: bool
    reason: str
    changes: NotRequired[list[str]]
    finding: FindingEntry | None
    decision: DecisionEntry | None
    looks: NotRequired[list[LookEntry]]
    next_look: NotRequired[int | None]
    outlook: NotRequired[OutlookEntry]
    calibrated_on: NotRequired[str]
    cells: dict[str, CellsEntry]


class ScoreEntry(TypedDict):
    """How many claims had each outcome, and the probability of any wrong decision."""

    claims: int
    reproduced: int
    not_reproduced: int
    undecided: int
    not_run: int
    out_of_reach: int
    too_close: int
    not_judged: NotRequired[int]
    as_expected: int
    error_rate: float
    method: str
    words: str


class VerdictsDocument(TypedDict):
    schema: Literal[2]
    suite: str
    title: str
    citation: str
    score: ScoreEntry
    claims: list[ClaimEntry]


def json_schema() -> dict[str, Any]:
    """The layout as a JSON Schema (2020-12)."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(VerdictsDocument).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **layout}


def verdicts_document(
    suite: Suite, verdicts: Iterable[Verdict], tree: xr.DataTree
) -> VerdictsDocument:
    """The document of `verdicts.json` and `grokbench score --json`.

    Args:
        suite: the suite with the claims.
        verdicts: one for each claim, as `score` returns them.
        tree: the results that were judged, for what each claim looked at.
    """
    judged = list(verdicts)
    summary = Summary.of(judged)
    counts = {outcome.value: count for outcome, count in summary.counts.items()}
    document: VerdictsDocument = {
        "schema": SCHEMA,
        "suite": suite.name,
        "title": suite.title,
        "citation": suite.citation,
        "score": {
            "claims": summary.claims,
            "reproduced": counts["reproduced"],
            "not_reproduced": counts["not_reproduced"],
            "undecided": counts["undecided"],
            "not_run": counts["not_run"],
            "out_of_reach": counts["out_of_reach"],
            "too_close": counts["too_close"],
            "as_expected": sum(verdict.expected for verdict in judged),
            "error_rate": round(ALPHA, 6),
            "method": METHOD,
            "words": str(summary),
        },
        "claims": [_entry(verdict, tree) for verdict in judged],
    }
    if counts["not_judged"]:
        document["score"]["not_judged"] = counts["not_judged"]
    return document


def _entry(verdict: Verdict, tree: xr.DataTree) -> ClaimEntry:
    claim, deciding = verdict.claim, verdict.deciding
    rule: Any = {name: bound for name, bound in asdict(claim.rule).items() if bound is not None}
    entry: ClaimEntry = {
        "claim": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "detector": {"name": claim.detector.name, "options": json_value(claim.detector.options)},
        "experiments": dict(claim.experiments),
        "where": json_value(claim.where),
        "rule": rule,
        "minimum_seeds": claim.minimum_seeds,
        "expect": claim.expect,
        "outcome": verdict.outcome.value,
        "as_expected": verdict.expected,
        "reason": verdict.reason,
        "finding": None if verdict.finding is None else _found(verdict.finding),
        "decision": None
        if deciding is None
        else {
            "confidence": round(verdict.confidence, 6),
            "low": json_value(deciding.low),
            "high": json_value(deciding.high),
        },
        "cells": _cells(verdict, tree),
    }
    if verdict.looks or verdict.next_look is not None:
        entry["looks"] = [_look(look) for look in verdict.looks]
        entry["next_look"] = verdict.next_look
    if verdict.changes:
        entry["changes"] = list(verdict.changes)
    if verdict.outlook is not None:
        entry["outlook"] = {"seeds": verdict.outlook.seeds, "words": verdict.outlook.reason}
    if claim.calibrated_on:
        entry["calibrated_on"] = claim.calibrated_on
    return entry


def _look(look: Look) -> LookEntry:
    return {
        "seeds": look.seeds,
        "confidence": round(look.confidence, 8),
        "error": round(look.error, 8),
        "effect": json_value(look.effect),
        "low": json_value(look.low),
        "high": json_value(look.high),
        "outcome": look.outcome.value,
    }


def _found(finding: Finding) -> FindingEntry:
    return {
        "effect": json_value(finding.effect),
        "low": json_value(finding.low),
        "high": json_value(finding.high),
        "unit": finding.unit,
        "seeds": finding.seeds,
        "evidence": finding.evidence,
        "details": json_value(finding.details),
    }


def _cells(verdict: Verdict, tree: xr.DataTree) -> dict[str, CellsEntry]:
    """Role → the part of the grid that the claim looks at, and how many of its runs are done."""
    try:
        data = data_of(verdict, tree)
    except NotEnoughDataError:
        return {}
    return {
        role: _cells_of(verdict.claim.experiments[role], dataset) for role, dataset in data.items()
    }


def _cells_of(experiment: str, dataset: xr.Dataset) -> CellsEntry:
    counts = statuses(dataset)
    return {
        "experiment": experiment,
        "grid": {
            str(dimension): json_value(dataset[dimension].to_numpy())
            for dimension in dataset["status"].dims
        },
        "runs": counts.total(),
        "done": counts[Status.DONE],
        "diverged": counts[Status.DIVERGED],
        "failed": counts[Status.FAILED],
        "not_run": counts[Status.NOT_RUN],
    }
