"""The declarations that runs were trained under are never lost, and the earliest of a run counts."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

from grokbench.durable import digest
from grokbench.record import Status
from grokbench.store import Store, provenance


def declared(rule: float, since: str = "2026-01-01T00:00:00.000+00:00") -> dict[str, Any]:
    claim = {
        "detector": {"name": "accuracy_gap", "options": {}, "version": 1},
        "experiments": {"experiment": "addition"},
        "where": {},
        "cells": {},
        "rule": {"at_least": rule},
        "minimum_seeds": 5,
    }
    told = {"a": {"sha256": f"digest of {rule}", "declared": claim}}
    return {"since": since, "claims": told, "plugins": {}}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "small", "small")


@pytest.fixture
def runs(suite):
    return list(suite().runs().values())


def rules(entries: list[dict[str, Any]]) -> dict[float, list[str]]:
    """Declared rule → the runs that were trained under it."""
    return {
        entry["claims"]["a"]["declared"]["rule"]["at_least"]: entry["runs"] for entry in entries
    }


def ids(*runs: Any) -> list[str]:
    return sorted(run.id for run in runs)


def test_a_dataset_keeps_what_its_runs_were_trained_under(store, suite, record, sitting, runs):
    """Although the record files are gone, and later runs were trained under another rule."""
    store.save("first", [record(run) for run in runs[:3]], declared(0.1))
    store.assemble(suite(), sitting())
    shutil.rmtree(store.folder / "records")
    store.save("second", [record(runs[3])], declared(0.2, "2026-01-02"))
    store.save("third", [record(runs[4])], declared(0.2, "2026-01-03"))
    tree = store.assemble(suite(), sitting())
    found = provenance(tree)["declarations"]
    assert {0.1: ids(*runs[:3]), 0.2: ids(*runs[3:5])} == rules(found)
    assert ["2026-01-01T00:00:00.000+00:00", "2026-01-02"] == [entry["since"] for entry in found]
    written = store.path.stat().st_mtime_ns
    assert found == provenance(store.assemble(suite(), sitting()))["declarations"]
    assert written == store.path.stat().st_mtime_ns


@pytest.mark.parametrize("in_dataset", [False, True])
def test_of_two_shards_that_trained_a_run_the_earlier_declaration_counts(
    store, suite, record, sitting, runs, in_dataset
):
    """Also where the later one was in the dataset before the other shard's file was copied there."""
    store.save("shard", [record(runs[0]), record(runs[1])], declared(0.2, "2026-01-02"))
    if in_dataset:
        store.assemble(suite(), sitting())
    store.save("shard", [record(runs[0])], declared(0.1, "2026-01-01"))
    assert {0.1: ids(runs[0]), 0.2: ids(runs[1])} == rules(store.declarations())
    tree = store.assemble(suite(), sitting())
    assert store.declarations() == provenance(tree)["declarations"]


def test_a_run_that_failed_has_shown_nothing(store, suite, record, sitting, runs):
    store.save("first", [record(runs[0], Status.FAILED)], declared(0.1, "2026-01-01"))
    assert [] == store.declarations()
    store.save("again", [record(runs[0])], declared(0.2, "2026-01-02"))
    tree = store.assemble(suite(), sitting())
    assert {0.2: ids(runs[0])} == rules(provenance(tree)["declarations"])


def test_results_without_declarations_stay_without(store, suite, record, sitting, runs):
    store.save("first", [record(runs[0])])
    assert "declarations" not in provenance(store.assemble(suite(), sitting()))
    store.save("second", [record(runs[1])], declared(0.1))
    tree = store.assemble(suite(), sitting())
    assert {0.1: ids(runs[1])} == rules(provenance(tree)["declarations"])


KILLED = """
import os, signal, sys
from grokbench.store import Store
from grokbench.session import run_suite

Store.assemble = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run_suite(sys.argv[1], sys.argv[2], jobs=1)
"""

SUITE = """
[recipes.short]
optimizer = "adamw"
steps = 2

[experiments.addition]
task = {{ name = "modular_addition", modulus = 5 }}
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [10]
seeds = 2

[claims.falls]
statement = "The norm falls."
detector = "norm_change"
experiment = "addition"
rule = {{ at_most = {bound} }}
"""


def test_a_kill_between_training_and_the_dataset_loses_no_declaration(tmp_path):
    """The rule is loosened while there are record files only."""
    from grokbench import run_suite

    path = tmp_path / "small.toml"
    path.write_text(SUITE.format(bound=-0.5))
    script = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "results")]
    assert -signal.SIGKILL == subprocess.run(script, check=False).returncode
    assert not (tmp_path / "results" / "small.nc").exists()
    path.write_text(SUITE.format(bound=0.5))
    sitting = run_suite(path, tmp_path / "results", jobs=1)
    assert 0 == sitting.trained
    (verdict,) = sitting.verdicts
    assert ("rule changed after training (was ≤ −0.5)",) == verdict.changes


def test_a_run_keeps_the_declarations_that_it_began_under(store, suite, record, sitting, runs):
    """Three runs began and were interrupted; then the rule was changed, and five runs ended."""
    names = [run.id for run in runs[:5]]
    store.begin("cohort", names[:3], declared(0.1))
    store.begin("cohort", names, declared(0.2, "2026-01-02"))
    again = Store(store.folder, "small")
    again.finish("cohort", [record(run) for run in runs[:5]], declared(0.3, "2026-01-03"))
    found = provenance(again.assemble(suite(), sitting()))["declarations"]
    assert {0.1: ids(*runs[:3]), 0.2: ids(*runs[3:5])} == rules(found)
    assert [] == list(store.folder.glob("records/*.json"))


def test_a_failed_run_forgets_what_it_began_under_and_a_run_that_waits_does_not(
    store, suite, record, sitting, runs
):
    store.begin("cohort", [run.id for run in runs[:2]], declared(0.1))
    store.finish("cohort", [record(runs[0], Status.FAILED)], declared(0.1))
    store.begin("cohort", [run.id for run in runs[:2]], declared(0.2, "2026-01-02"))
    store.finish("cohort", [record(run) for run in runs[:2]], declared(0.2, "2026-01-02"))
    found = provenance(store.assemble(suite(), sitting()))["declarations"]
    assert {0.1: ids(runs[1]), 0.2: ids(runs[0])} == rules(found)


@pytest.mark.parametrize("content", [b'[{"since": 1}]', b"[1, 2", b"\xff", b"{}"])
def test_declarations_of_another_shape_are_set_aside(store, record, runs, content):
    """The names of the files have the right digests: only the shape shows that grokbench wrote neither."""
    store.save("first", [record(runs[0])], {"since": 1})
    begun = store.folder / "records" / f"cohort-{digest(content)[:16]}.json"
    begun.write_bytes(content)
    store.finish("cohort", [record(runs[1])], declared(0.1))
    assert [runs[1].id] == list(store.records())
    assert {"first", "cohort"} == {path.name.partition("-")[0] for path in store.damaged}
    assert {0.1: ids(runs[1])} == rules(store.declarations())
