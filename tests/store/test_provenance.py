"""Provenance: what is known of a sitting, and that no sitting is ever forgotten."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest
import xarray as xr

from grokbench.errors import ResultsError
from grokbench.store import Store, collect_provenance, provenance, suite_text


@pytest.fixture
def collect(suite, tmp_path):
    def collect(text: str = "name = 'small'\n", device: str = "cpu"):
        return collect_provenance(
            suite(text=text), tmp_path, device=device, plugins={"my-plugin": "1.2"}, seconds=12.34
        )

    return collect


def test_a_sitting_says_on_what_with_what_and_when(collect):
    found = collect()
    text = "name = 'small'\n"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    assert {"name": "small", "text": text, "sha256": sha256} == found["suite"]
    (sitting,) = found["sittings"]
    assert ("cpu", 12.3, {"my-plugin": "1.2"}, sha256, platform.python_version()) == tuple(
        sitting[key] for key in ("device", "seconds", "plugins", "suite_sha256", "python")
    )
    names = ("torch", "numpy", "scipy", "xarray", "netCDF4")
    assert {name: metadata.version(name) for name in names} == sitting["packages"]
    age = datetime.now(UTC) - datetime.fromisoformat(sitting["finished"])
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert sitting["processor"]
    assert found == json.loads(json.dumps(found))


def test_the_git_revision_and_whether_there_are_changes_are_known(collect, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=0"]
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    answer = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    revision = answer.stdout.strip()
    assert {"revision": revision, "dirty": False} == collect()["sittings"][0]["git"]
    (tmp_path / "file").write_text("two")
    assert {"revision": revision, "dirty": True} == collect()["sittings"][0]["git"]


@pytest.mark.parametrize("without", ["repository", "git"])
def test_neither_a_repository_nor_git_is_needed(collect, tmp_path, monkeypatch, without):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if without == "git":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert collect()["sittings"][0]["git"] is None


def test_sittings_are_added_and_never_overwritten(collect, suite, record, tmp_path):
    store = Store(tmp_path, "small")
    first, second, *_ = suite().runs().values()
    store.save("a", [record(first)])
    store.assemble(suite(), collect("# one\n", "cpu"))
    store.save("b", [record(second)])
    tree = store.assemble(suite(), collect("# two\n", "cuda"))
    assert ["cpu", "cuda"] == [sitting["device"] for sitting in provenance(tree)["sittings"]]
    assert "# two\n" == suite_text(tree)
    assert 2 == len({sitting["suite_sha256"] for sitting in provenance(tree)["sittings"]})


def test_where_nothing_was_trained_there_was_no_sitting_but_the_suite_is_taken_up(
    collect, suite, record, tmp_path
):
    store = Store(tmp_path, "small")
    store.save("a", [record(run) for run in suite().runs().values()])
    before = provenance(store.assemble(suite(), collect("# one\n")))
    now = collect_provenance(
        suite(text="# two\n"), tmp_path, device="cpu", plugins={}, seconds=None
    )
    assert [] == now["sittings"]
    tree = store.assemble(suite(text="# two\n"), now)
    assert "# two\n" == suite_text(tree)
    assert before["sittings"] == provenance(tree)["sittings"]


def test_long_and_unusual_suite_texts_are_kept_word_for_word(collect, suite, tmp_path):
    text = "# Omnigrok's α, and \0 and a \\ and a \"\n" + "# long\n" * 20_000
    assert text == suite_text(Store(tmp_path, "small").assemble(suite(), collect(text)))


def test_any_group_knows_the_provenance(collect, suite, tmp_path):
    tree = Store(tmp_path, "small").assemble(suite(), collect())
    assert provenance(tree) == provenance(tree["addition"])


def test_a_dataset_of_somebody_else_has_no_provenance():
    with pytest.raises(ResultsError, match="no attribute `grokbench`"):
        provenance(xr.DataTree())


def test_the_store_does_not_import_torch():
    code = "import sys, grokbench.store; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
