"""Record files: what is saved comes back bit for bit, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from grokbench.errors import ResultsError
from grokbench.record import Record, Status
from grokbench.schema import METRICS
from grokbench.store import Store

BITS = st.integers(0, 2**32 - 1)
"""Every float32 there is, NaNs with a payload included, is 32 bits."""

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    parts = tuple(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True)))
    steps = sorted(draw(st.sets(st.integers(0, 2**62), max_size=4)))
    curves = {}
    for name in (*METRICS, "parameter_norm") if steps else ():
        shape = (len(steps),) if name == "parameter_norm" else (len(steps), len(parts))
        curves[name] = draw(arrays.arrays(np.uint32, shape, elements=BITS)).view(np.float32)
    counts = st.tuples(*[st.integers(0, 2**40)] * len(parts))
    return Record(
        run_id=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        status=draw(st.sampled_from(Status)),
        parts=parts if steps else ("all",),
        steps=np.array(steps, np.int64),
        curves=curves,
        examples={n: draw(counts) for n in ("train", "validation", "mirror_free") if steps},
        parameters=draw(st.integers(0, 2**40)) if steps else 0,
        message=draw(TEXT),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "small", "small")


@pytest.fixture
def runs(suite):
    return list(suite().runs().values())


@settings(max_examples=25, deadline=None)
@given(st.lists(any_record(), max_size=5, unique_by=lambda record: record.run_id))
def test_any_records_come_back_from_one_file_bit_for_bit(bits, records):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "small")
        store.save("cohort", records)
        assert bits({record.run_id: record for record in records}) == bits(store.records())


def test_nothing_is_on_disk_before_the_first_save(store):
    assert {} == store.records()
    assert not store.folder.exists()


def test_the_name_of_a_record_file_holds_the_digest_of_its_bytes(store, runs, record):
    path = store.save("cohort", [record(run) for run in runs])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert store.folder / "records" / f"cohort-{digest}.nc" == path
    assert [path] == list(store.folder.rglob("*.*"))


def test_the_same_cohort_saved_twice_is_one_file(store, runs, record):
    assert store.save("c", [record(runs[0])]) == store.save("c", [record(runs[0])])
    assert 1 == len(list((store.folder / "records").iterdir()))


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.6, 0.99])
def test_a_flipped_bit_is_found_and_the_file_set_aside(store, runs, record, bits, fraction):
    damaged = store.save("damaged", [record(runs[0])])
    store.save("whole", [record(runs[1])])
    content = bytearray(damaged.read_bytes())
    content[int(fraction * len(content))] ^= 1
    damaged.write_bytes(content)

    assert bits({runs[1].id: record(runs[1])}) == bits(store.records())
    aside = damaged.with_name(damaged.name + ".damaged")
    assert [aside] == store.damaged
    assert bytes(content) == aside.read_bytes()
    assert not damaged.exists()


def test_a_truncated_file_is_found_and_its_runs_can_be_saved_again(store, runs, record, bits):
    path = store.save("cohort", [record(runs[0])])
    os.truncate(path, path.stat().st_size // 2)
    assert {} == store.records()
    store.save("cohort", [record(runs[0])])
    assert bits({runs[0].id: record(runs[0])}) == bits(store.records())
    assert 1 == len(store.damaged)


def test_a_file_damaged_twice_is_kept_twice(store, runs, record):
    for damage in (b"first", b"second"):
        path = store.save("cohort", [record(runs[0])])
        path.write_bytes(damage)
        store.records()
    assert [b"first", b"second"] == [path.read_bytes() for path in store.damaged]


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_cannot_be_read_is_set_aside_even_if_its_digest_is_right(
    store, runs, record, content
):
    store.save("whole", [record(runs[0])])
    name = f"cohort-{hashlib.sha256(content).hexdigest()[:16]}.nc"
    (store.folder / "records" / name).write_bytes(content)
    assert {runs[0].id} == set(store.records())
    assert [store.folder / "records" / f"{name}.damaged"] == store.damaged
    assert content == store.damaged[0].read_bytes()


def test_a_netcdf_file_without_records_is_set_aside_even_if_its_digest_is_right(
    store, runs, record
):
    path = store.save("cohort", [record(runs[0])])
    with netCDF4.Dataset(path, "w") as file:
        file.schema = 1
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    theirs = path.rename(path.with_name(f"cohort-{digest}.nc"))
    assert {} == store.records()
    assert [theirs.with_name(f"{theirs.name}.damaged")] == store.damaged


def test_a_folder_with_the_name_of_a_record_file_is_left_alone(store, runs, record):
    store.save("cohort", [record(runs[0])])
    (store.folder / "records" / f"mine-{'0' * 16}.nc").mkdir()
    assert {runs[0].id} == set(store.records())
    assert [] == store.damaged


def test_a_file_that_is_no_record_file_is_left_alone(store, runs, record):
    store.save("cohort", [record(runs[0])])
    notes = store.folder / "records" / "notes.nc"
    notes.write_text("mine")
    assert {runs[0].id} == set(store.records())
    assert "mine" == notes.read_text()
    assert [] == store.damaged


def test_what_a_killed_writer_left_is_ignored_and_removed_once_it_is_old(store, runs, record):
    store.save("first", [record(runs[0])])
    abandoned, alive = (store.folder / "records" / name for name in (".1.tmp", ".2.tmp"))
    for path in (abandoned, alive):
        path.write_bytes(b"half a fi")
    hour_ago = time.time() - 3600
    os.utime(abandoned, (hour_ago, hour_ago))

    assert {runs[0].id} == set(store.records())
    store.save("second", [record(runs[1])])
    assert not abandoned.exists()
    assert alive.exists()


def test_a_failed_run_never_replaces_one_that_ended(store, runs, record):
    store.save("a", [record(runs[0])])
    store.save("b", [record(runs[0], Status.FAILED), record(runs[1], Status.FAILED)])
    store.save("c", [record(runs[1], Status.DIVERGED)])
    found = store.records()
    assert (Status.DONE, Status.DIVERGED) == (found[runs[0].id].status, found[runs[1].id].status)


def test_a_record_file_wins_over_the_dataset(store, suite, runs, record, sitting, bits):
    path = store.save("cohort", [record(run) for run in runs])
    store.assemble(suite(), sitting())
    path.unlink()
    again = record(runs[0], message="on another device")
    store.save("again", [again])
    found = store.records()
    assert bits({again.run_id: again}) == bits({again.run_id: found[again.run_id]})
    assert {run.id for run in runs} == set(found)


def test_a_record_without_evaluations_keeps_identity_status_and_message_alone(store, runs, record):
    whole = record(runs[0])
    store.save("c", [replace(whole, status=Status.FAILED, steps=np.zeros(0, int), message="why")])
    found = store.records()[runs[0].id]
    assert (Status.FAILED, "why", ("all",), {}, {}, 0) == (
        found.status,
        found.message,
        found.parts,
        found.curves,
        found.examples,
        found.parameters,
    )


def test_what_netcdf_text_cannot_hold_becomes_escapes_in_messages(store, runs, record):
    store.save("c", [record(runs[0], Status.FAILED, message="bad \0 byte, \ud800 half")])
    assert r"bad \x00 byte, \ud800 half" == store.records()[runs[0].id].message


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": np.array([0, 2, 1])}, "steps must increase"),
        ({"steps": np.array([0.0, 1.0])}, "steps must be int64"),
        ({"curves": {}}, r"train_loss must be float32 \(\d+, 1\), not None"),
        ({"parts": ("one", "two")}, r"train_loss must be float32 \(\d+, 2\), not float32"),
        ({"examples": {"train": (1,), "validation": (1, 2)}}, "validation examples must be one"),
    ],
)
def test_a_record_of_the_wrong_shape_is_refused_and_leaves_nothing(
    store, runs, record, changes, complaint
):
    with pytest.raises(ResultsError, match=f"run {runs[0].id}: {complaint}"):
        store.save("c", [replace(record(runs[0]), **changes)])
    assert [] == list(store.folder.rglob("*.*"))


def test_a_file_from_a_newer_grokbench_is_refused_and_not_set_aside(store, runs, record):
    path = store.save("cohort", [record(runs[0])])
    with netCDF4.Dataset(path, "a") as file:
        file.schema = 99
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    newer = path.rename(path.with_name(f"cohort-{digest}.nc"))
    with pytest.raises(ResultsError, match="upgrade grokbench"):
        store.records()
    assert newer.exists()
