"""Records that contradict each other: the odd ones stand aside, and keep nobody else from anything."""

from __future__ import annotations

import shutil

import pytest

from grokbench.record import Status
from grokbench.store import Store, open_results, records_in

ODD = [
    ({"parameters": 7}, "7 parameters, others of model size 8 have 800"),
    ({"parts": ("b", "c")}, "the parts ['b', 'c'], others have ['all']"),
]
"""What a run has that no other of its experiment has, and what is said of it."""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "small", "small")


@pytest.fixture
def runs(suite):
    return list(suite().runs().values())


def contents(folder):
    """Every file below the folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("changes", "complaint"), ODD)
def test_the_odd_run_is_shown_as_failed_with_the_reason_and_the_others_as_they_are(
    store, suite, runs, record, sitting, changes, complaint
):
    store.save("cohort", [record(runs[0]), record(runs[1], **changes), *map(record, runs[2:])])
    data = store.assemble(suite(), sitting())["addition"].to_dataset()
    statuses = data["status"].values.ravel().tolist()
    assert [Status.DONE, Status.FAILED, *[Status.DONE] * 10] == statuses
    message = data["message"].values.ravel()[1]
    assert complaint in message
    assert "Raise the version" in message
    assert [800, 1600] == data["parameters"].values.tolist()
    assert "part" not in data.dims
    assert data["validation_loss"].values[0, 0, 0].all()
    assert data["validation_loss"].sel(model_size=8, data_size=350, seed=1).isnull().all()


@pytest.mark.parametrize(("changes", "_"), ODD)
def test_assembling_again_changes_no_file_and_no_record(
    store, suite, runs, record, sitting, bits, changes, _
):
    saved = [record(runs[0]), record(runs[1], **changes)]
    store.save("cohort", saved)
    store.assemble(suite(), sitting())
    before = contents(store.folder)
    for _sitting in range(2):
        again = Store(store.folder, "small")
        assert bits({r.run_id: r for r in saved}) == bits(again.records())
        again.assemble(suite(), sitting("another device"))
        assert before == contents(store.folder)


@pytest.mark.parametrize(("changes", "complaint"), ODD)
def test_a_record_that_turns_odd_is_moved_from_the_dataset_to_a_record_file(
    store, suite, runs, record, sitting, bits, changes, complaint
):
    """The second run was alone and decided; then the first came, and `records/` was gone."""
    first, second = record(runs[0]), record(runs[1], **changes)
    store.save("second", [second])
    store.assemble(suite(), sitting())
    shutil.rmtree(store.folder / "records")
    store.save("first", [first])
    data = store.assemble(suite(), sitting())["addition"]
    assert complaint in str(data["message"].values.ravel()[1])
    assert bits({r.run_id: r for r in (first, second)}) == bits(store.records())
    before = contents(store.folder)
    store.assemble(suite(), sitting())
    assert before == contents(store.folder)


def test_a_run_that_is_odd_in_one_experiment_alone_is_whole_in_the_other(
    store, suite, experiment, record, sitting, bits
):
    small = suite(experiment("own", seeds=(1,)), experiment("both"))
    runs = list(suite(experiment("both")).runs().values())
    saved = [record(runs[0]), record(runs[1], parameters=7)]
    store.save("cohort", saved)
    tree = store.assemble(small, sitting())
    assert Status.DONE == tree["own/status"].values.ravel()[0]
    assert Status.FAILED == tree["both/status"].values.ravel()[1]
    assert bits({r.run_id: r for r in saved}) == bits(records_in(tree))


def test_without_its_record_file_an_odd_run_stays_failed(store, suite, runs, record, sitting):
    store.save("cohort", [record(runs[0]), record(runs[1], parameters=7)])
    tree = store.assemble(suite(), sitting())
    shutil.rmtree(store.folder / "records")
    found = store.records()[runs[1].id]
    assert (Status.FAILED, 0) == (found.status, found.steps.size)
    store.assemble(suite(), sitting())
    assert tree.identical(open_results(store.folder))
