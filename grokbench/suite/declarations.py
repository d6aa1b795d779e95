"""What a suite declares of its claims before their runs are trained.

A declaration holds everything in the suite that decides a claim's verdict. The declarations are stored
with the runs, so that a rule that was changed after training is noticed (`grokbench.claims.changes`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from grokbench.labels import labels_of, text_of
from grokbench.record import canonical_json
from grokbench.suite.model import Claim, Experiment, Suite

Definitions = set[tuple[str, str]]
"""Kind and name of definitions, such as `("detector", "double_descent")`."""


def declarations(suite: Suite) -> dict[str, Any]:
    """The declarations of a suite's claims, as JSON values.

    Returns:
        `since`: the time now, in UTC. `claims`: for each claim, what is `declared` (see `declared`) and
        the `sha256` of its canonical JSON text. `plugins`: for each definition of a plugin that the
        suite uses, the name of the `plugin` and the `sha256` of its code.
    """
    told = {claim.name: declared(claim, suite) for claim in suite.claims.values()}
    used: Definitions = set()
    for claim in suite.claims.values():
        used |= definitions_behind(claim, suite)
    for experiment in suite.experiments.values():
        used |= set(_definitions(experiment))
    return {
        "since": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "claims": {
            name: {
                "sha256": hashlib.sha256(canonical_json(one).encode()).hexdigest(),
                "declared": one,
            }
            for name, one in told.items()
        },
        "plugins": suite.plugins.code_behind(sorted(used)),
    }


def declared(claim: Claim, suite: Suite) -> dict[str, Any]:
    """Everything in the suite that decides a claim's verdict, apart from how its runs are trained.

    The identity of each run says how the run is trained. The statement, the source and the expectation
    decide nothing.

    Returns:
        `detector` (name, version, options), `experiments` by role, `where`, the `cells` that `where`
        selects (role → dimension → labels), `rule`, `minimum_seeds`, and `sequential` if the suite has
        this table.
    """
    found: dict[str, Any] = {
        "detector": asdict(claim.detector),
        "experiments": dict(claim.experiments),
        "where": dict(claim.where),
        "cells": {
            role: _cells(suite.experiments[name], claim)
            for role, name in claim.experiments.items()
            if name in suite.experiments
        },
        "rule": {name: bound for name, bound in asdict(claim.rule).items() if bound is not None},
        "minimum_seeds": claim.minimum_seeds,
    }
    if suite.sequential is not None:
        found["sequential"] = asdict(suite.sequential)
    # What comes back from JSON can be compared with what was stored. Only a claim that was written in
    # Python can hold a value that JSON has no type for; its text stands for it.
    as_json: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return as_json


def definitions_behind(claim: Claim, suite: Suite) -> Definitions:
    """The detector of a claim, and what the runs that the claim looks at are made of."""
    found = {("detector", claim.detector.name)}
    for name in claim.experiments.values():
        if name in suite.experiments:
            found |= set(_definitions(suite.experiments[name]))
    return found


def _definitions(experiment: Experiment) -> Iterator[tuple[str, str]]:
    yield "task", experiment.task.name
    yield "architecture", experiment.architecture.name
    for optimizer in experiment.swept.get("optimizer", (experiment.recipe.optimizer,)):
        yield "optimizer", optimizer.name
    for measure in experiment.measures:
        yield "measure", measure.name


def _cells(experiment: Experiment, claim: Claim) -> dict[str, list[Any]]:
    """The labels along each dimension of the part of the grid that the claim looks at."""
    axes = {
        **experiment.swept,
        "model_size": experiment.model_sizes,
        "data_size": experiment.data_sizes,
        "seed": experiment.seeds,
    }
    found = {}
    for dimension, values in axes.items():
        labels = labels_of(values)
        if dimension in claim.where:
            wanted = claim.where[dimension]
            chosen = {
                text_of(one) for one in (wanted if isinstance(wanted, list | tuple) else [wanted])
            }
            labels = [label for label in labels if text_of(label) in chosen]
        found[dimension] = labels
    return found
