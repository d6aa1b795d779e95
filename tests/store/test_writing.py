"""Where nothing can be written it is said, before training if it can be, and nothing is lost."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest

from grokbench.errors import ResultsError
from grokbench.store import Store, open_results, write_text

resource = pytest.importorskip("resource")


@contextmanager
def no_file_above(size):
    """Writing past the limit fails in the middle of a file, as on a disk that is full; for root too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "small", "small")


@pytest.fixture
def records(suite, record):
    return [record(run) for run in suite().runs().values()]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("room", [0, 1000, 10_000])
def test_records_that_do_not_fit_are_an_error_and_what_was_stored_stays(store, records, bits, room):
    store.save("first", records[:1])
    before = contents(store.folder)
    with (
        no_file_above(room),
        pytest.raises(
            ResultsError, match=r"small/records: could not be written to .*space on the disk"
        ),
    ):
        store.save("second", records[1:])
    assert before == contents(store.folder)
    store.save("second", records[1:])
    assert bits({record.run_id: record for record in records}) == bits(store.records())


@pytest.mark.parametrize("room", [0, 1000, 30_000])
def test_a_dataset_that_does_not_fit_is_an_error_and_the_old_one_and_the_records_stay(
    store, suite, records, sitting, room
):
    store.save("first", records[:1])
    store.assemble(suite(), sitting())
    store.save("second", records[1:])
    before = contents(store.folder)
    with no_file_above(room), pytest.raises(ResultsError, match="small: could not be written to"):
        store.assemble(suite(), sitting())
    assert before == contents(store.folder)
    assert (store.assemble(suite(), sitting())["addition/status"] == 1).all()


def test_a_text_that_does_not_fit_is_an_error_and_the_old_one_stays(tmp_path):
    write_text(tmp_path / "verdicts.json", "old")
    with no_file_above(2), pytest.raises(ResultsError, match="File too large"):
        write_text(tmp_path / "verdicts.json", "longer")
    assert {tmp_path / "verdicts.json": b"old"} == contents(tmp_path)


def test_a_folder_that_can_be_written_is_made_and_holds_nothing_but_the_place_for_records(store):
    store.check_writable()
    assert [store.folder / "records"] == list(store.folder.rglob("*"))
    assert {} == store.records()


@pytest.mark.parametrize("file", ["small", "small/records"])
def test_a_file_in_place_of_a_folder_is_found_before_training(tmp_path, store, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("mine")
    with pytest.raises(
        ResultsError, match=f"{file}.*could not be written to .*name another folder"
    ):
        store.check_writable()
    assert {tmp_path / file: b"mine"} == contents(tmp_path)


def test_a_disk_without_room_is_found_before_training(store):
    with no_file_above(0), pytest.raises(ResultsError, match="could not be written to"):
        store.check_writable()
    assert {} == contents(store.folder)


def test_a_name_that_is_not_utf8_is_refused_at_once(tmp_path):
    folder = tmp_path / "\udcff"
    for use in (lambda: Store(folder, "small"), lambda: open_results(folder)):
        with pytest.raises(ResultsError, match=r"\\udcff': is not valid UTF-8.* name another"):
            use()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["Ergebnisse ½ 日本", "~", "~/a"])
def test_any_other_name_will_do(tmp_path, monkeypatch, suite, records, sitting, bits, name):
    monkeypatch.chdir(tmp_path)
    store = Store(Path(name), "small")
    store.check_writable()
    store.save("cohort", records)
    tree = store.assemble(suite(), sitting())
    assert tree.identical(open_results(name))
    assert (tmp_path / name / "small.nc").is_file()
    assert bits({record.run_id: record for record in records}) == bits(store.records())
