"""The dataset as a file: opened when it is whole, refused when it is not, never overwritten in part."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import netCDF4
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from grokbench.errors import ResultsError
from grokbench.record import Status
from grokbench.store import Store, open_results, suite_text, write_text


@pytest.fixture(scope="module")
def results(tmp_path_factory, suite, record, sitting) -> Path:
    """A folder of results; tests that change it work on a copy."""
    store = Store(tmp_path_factory.mktemp("results") / "small", "small")
    store.save("cohort", [record(run) for run in suite().runs().values()])
    store.assemble(suite(), sitting())
    return store.folder


@pytest.fixture
def copy(results, tmp_path) -> Path:
    return shutil.copytree(results, tmp_path / "small")


def test_a_file_or_its_folder_can_be_opened(results):
    assert open_results(results).identical(open_results(str(results / "small.nc")))


def test_a_dataset_of_another_name_is_found_when_it_is_alone(copy):
    (copy / "small.nc").rename(copy / "renamed.nc")
    assert "addition" in open_results(copy).children


def test_what_was_opened_is_in_memory_and_the_file_is_free(copy):
    tree = open_results(copy)
    shutil.rmtree(copy)
    assert tree["addition/validation_accuracy"].notnull().all()


def test_xarray_alone_reads_the_same(results):
    with xr.open_datatree(results / "small.nc", engine="netcdf4") as tree:
        assert open_results(results).identical(tree.load())


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(results, place, bit):
    content = bytearray((results / "small.nc").read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    altered = results.with_name("altered.nc")
    altered.write_bytes(content)
    with pytest.raises(ResultsError, match=r"altered or damaged|is not netCDF-4"):
        open_results(altered)


@settings(max_examples=20, deadline=None)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_found(results, kept):
    content = (results / "small.nc").read_bytes()
    cut = results.with_name("cut.nc")
    cut.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ResultsError, match=r"altered or damaged|is not netCDF-4"):
        open_results(cut)


def test_a_value_changed_through_netcdf_is_found(copy):
    with netCDF4.Dataset(copy / "small.nc", "a") as file:
        file["addition/validation_accuracy"][:] = 1
    with pytest.raises(ResultsError, match="altered or damaged"):
        open_results(copy)


def test_a_netcdf_file_of_somebody_else_is_refused(tmp_path):
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "theirs.nc", engine="netcdf4")
    with pytest.raises(ResultsError, match="or another program wrote it: its digest is missing"):
        open_results(tmp_path / "theirs.nc")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (None, r"there is no such file or folder; give a folder that `grokbench run` wrote"),
        ([], "holds no dataset"),
        (["records/a.nc"], "holds records but no dataset yet.* run the suite again"),
        (["one.nc", "two.nc"], "more than one dataset; name one of one.nc, two.nc"),
        (["text.nc"], "is not a grokbench dataset"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(tmp_path, files, complaint):
    folder = tmp_path / "missing"
    for name in files or []:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    if files == []:
        folder.mkdir()
    with pytest.raises(ResultsError, match=complaint):
        open_results(folder)


def test_a_damaged_dataset_stops_the_store_and_is_not_touched(copy, suite, sitting):
    path = copy / "small.nc"
    content = path.read_bytes()[:-100]
    path.write_bytes(content)
    store = Store(copy, "small")
    with pytest.raises(ResultsError, match="Restore the file from a copy"):
        store.records()
    with pytest.raises(ResultsError, match="Restore the file from a copy"):
        store.assemble(suite(), sitting())
    assert content == path.read_bytes()


def test_the_dataset_alone_gives_every_record(copy, bits):
    expected = bits(Store(copy, "small").records())
    shutil.rmtree(copy / "records")
    assert expected == bits(Store(copy, "small").records())


def test_a_suite_that_grew_keeps_what_the_dataset_alone_still_knew(
    copy, suite, experiment, sitting, bits
):
    expected = Store(copy, "small").records()
    shutil.rmtree(copy / "records")
    tree = Store(copy, "small").assemble(suite(experiment(seeds=(0, 1, 2))), sitting())
    assert bits(expected) == bits(Store(copy, "small").records())
    assert 6 == int((tree["addition/status"] == 0).sum())
    assert not (copy / "records").exists()


def test_records_that_the_suite_no_longer_has_are_kept_in_a_record_file(
    copy, suite, experiment, sitting, bits
):
    store = Store(copy, "small")
    expected = store.records()
    shutil.rmtree(copy / "records")
    smaller = suite(experiment(seeds=(1,)))
    tree = store.assemble(smaller, sitting())
    assert set(smaller.runs()) == set(tree["addition/run_id"].values.ravel().tolist())
    assert bits(expected) == bits(store.records())
    store.assemble(smaller, sitting())
    assert 1 == len(list((copy / "records").iterdir()))


def test_a_record_file_that_failed_does_not_cost_a_former_run_its_record(
    copy, suite, experiment, record, sitting, bits
):
    store = Store(copy, "small")
    expected = store.records()
    shutil.rmtree(copy / "records")
    store.save("stale", [record(run, Status.FAILED) for run in suite().runs().values()])
    store.assemble(suite(experiment(seeds=(1,))), sitting())
    assert bits(expected) == bits(store.records())


def test_assembling_again_without_anything_new_leaves_the_file_as_it_is(copy, suite, sitting):
    path = copy / "small.nc"
    before = path.read_bytes(), path.stat().st_ino
    tree = Store(copy, "small").assemble(suite(), sitting("another device"))
    assert before == (path.read_bytes(), path.stat().st_ino)
    assert tree.identical(open_results(copy))


def test_a_new_suite_text_is_something_new(copy, suite, sitting):
    tree = Store(copy, "small").assemble(suite(text="# new"), sitting(text="# new"))
    assert "# new" == suite_text(tree)


def test_text_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "verdicts.json"
    for text in ("a long first text", "läßt\n"):
        write_text(path, text)
        assert text.encode() == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_what_a_killed_writer_left_beside_the_dataset_is_ignored(copy, suite, sitting):
    (copy / ".1.tmp").write_bytes(b"half a fi")
    before = open_results(copy)
    Store(copy, "small").assemble(suite(), sitting())
    assert before["addition"].identical(open_results(copy)["addition"])


def test_a_writer_killed_in_whatever_state_of_the_disk_leaves_the_old_state_or_the_new(
    tmp_path, bits
):
    script = Path(__file__).with_name("killed_writer.py")
    subprocess.run([sys.executable, script, tmp_path], check=True)
    old, new = (open_results(tmp_path / state) for state in ("old", "new"))
    old_records, new_records = (
        bits(Store(tmp_path / state, "small").records()) for state in ("old", "new")
    )
    assert old_records.items() < new_records.items()

    killed = sorted(tmp_path.glob("killed-*"))
    assert [-signal.SIGKILL] * len(killed) == [
        int((folder / "exit").read_text()) for folder in killed
    ]
    datasets, records = [], []
    for folder in killed:
        store = Store(folder, "small")
        tree, found = open_results(folder), bits(store.records())
        datasets.append((tree.identical(old), tree.identical(new)))
        records.append((found == old_records, found == new_records))
        assert [] == store.damaged
    assert {(True, False), (False, True)} == set(datasets) == set(records)
