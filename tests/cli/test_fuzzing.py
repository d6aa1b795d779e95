"""Mutated suites, and sealed results with parts missing: only documented exit codes, never a traceback.

Each property is tested with few examples here, and with many under the marker `slow`. The examples are
always the same.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from pathlib import Path

import pytest
import xarray as xr
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import grokbench as package
from grokbench.cli import cli
from grokbench.store import open_results
from grokbench.store.results import write_results
from tests.cli.conftest import PLUGIN, SUITE
from tests.cli.mutations import suites

ROOT = Path(package.__file__).parents[1]
SMALL = tomllib.loads(SUITE)
PARSED = [
    SMALL,
    *(tomllib.loads((ROOT / "suites" / f"{n}.toml").read_text()) for n in ("smoke", "quick")),
]

DOCUMENTED = {
    "validate": {0, 2},
    "plan": {0, 2},
    "score": {0, 2},
    "report": {0, 2},
    "check": {0, 1, 2, 3, 4, 5},
}
"""The exit codes that docs/commands.md allows each command here."""


def examples(number: int) -> settings:
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def here(tmp_path: Path, trained_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the small suite's plugin and results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    shutil.copytree(trained_once / "results", tmp_path / "results")
    return tmp_path


def ends_as_documented(*arguments: str) -> Result:
    told = CliRunner().invoke(cli, arguments, prog_name="grokbench")
    assert told.exit_code in DOCUMENTED[arguments[0]], (arguments, told.output[-2000:], traceback())
    assert "Traceback" not in told.output
    return told


def traceback() -> str:
    """What was kept of an unforeseen error, for whoever mends it."""
    files = sorted(Path().glob("grokbench-error-*"))
    return files[-1].read_text(encoding="utf-8")[-3000:] if files else ""


def validated(content: bytes) -> None:
    Path("mutated.toml").write_bytes(content)
    ends_as_documented("validate", "mutated.toml")


def read_by_every_command(content: bytes) -> None:
    Path("small.toml").write_bytes(content)
    for command in ("score", "check", "report"):
        ends_as_documented(command, "results/small", "--suite", "small.toml")
    ends_as_documented("plan", "small.toml", "--no-measure")


@st.composite
def altered(draw: st.DrawFn, tree: xr.DataTree) -> xr.DataTree:
    """Results that lack something, or that have something of another shape or type."""
    groups = {name: group.to_dataset().copy(deep=True) for name, group in tree.children.items()}
    root = tree.to_dataset().copy(deep=True)
    (name,) = groups
    data = groups[name]
    how = draw(st.sampled_from(["drop", "attribute", "root", "dimension", "type", "group"]))
    if how == "drop":
        data = data.drop_vars(draw(st.sampled_from(sorted(map(str, data.variables)))))
    elif how == "dimension":
        dimension = draw(st.sampled_from(sorted(map(str, data.dims))))
        chosen = draw(st.sampled_from([[], 0, [0, 0], slice(None, None, -1)]))
        data = data.isel({dimension: chosen})
    elif how == "type":
        variable = draw(st.sampled_from(sorted(map(str, data.data_vars))))
        kind = draw(st.sampled_from(["U8", "float64", "int64"]))
        if data[variable].dtype.kind in "OUS":  # words are no numbers: zeros stand in their place
            data[variable] = xr.zeros_like(data[variable], dtype="int64")
        data[variable] = data[variable].astype(kind)
    elif how == "group":
        groups[f"{name}2"] = data
        del groups[draw(st.sampled_from([name, f"{name}2"]))]
        return xr.DataTree.from_dict({"/": root, **groups})
    else:
        attributes = root.attrs if how == "root" else data.attrs
        key = draw(st.sampled_from(sorted(attributes)))
        value = draw(st.sampled_from(["", "x", "[]", "{}", "[1]", "null", '{"suite": {}}', 3, 0.5]))
        attributes[key] = value
        if draw(st.booleans()):
            del attributes[key]
    return xr.DataTree.from_dict({"/": root, **groups, name: data})


def read_altered(tree: xr.DataTree) -> None:
    try:
        write_results(tree, Path("results/small/small.nc"))
    except (TypeError, ValueError):  # netCDF cannot hold it
        return
    for command in ("score", "check", "report"):
        ends_as_documented(command, "results/small", "--plugin", "plugin.py")
    Path("small.toml").write_text(SUITE, encoding="utf-8")
    ends_as_documented("plan", "small.toml", "--no-measure")


@examples(60)
@given(content=st.sampled_from(PARSED).flatmap(suites))
def test_a_mutated_suite_is_right_or_a_mistake(here: Path, content: bytes) -> None:
    validated(content)


@pytest.mark.slow
@examples(1000)
@given(content=st.sampled_from(PARSED).flatmap(suites))
def test_a_thousand_mutated_suites_are_right_or_a_mistake(here: Path, content: bytes) -> None:
    validated(content)


@examples(5)
@given(content=suites(SMALL))
def test_results_are_read_with_a_mutated_suite(here: Path, content: bytes) -> None:
    read_by_every_command(content)


@pytest.mark.slow
@examples(200)
@given(content=suites(SMALL))
def test_results_are_read_with_two_hundred_mutated_suites(here: Path, content: bytes) -> None:
    read_by_every_command(content)


@examples(5)
@given(data=st.data())
def test_sealed_results_with_something_amiss_are_read_or_refused(
    here: Path, trained_once: Path, data: st.DataObject
) -> None:
    read_altered(data.draw(altered(open_results(trained_once / "results" / "small"))))


@pytest.mark.slow
@examples(200)
@given(data=st.data())
def test_two_hundred_sealed_results_with_something_amiss_are_read_or_refused(
    here: Path, trained_once: Path, data: st.DataObject
) -> None:
    read_altered(data.draw(altered(open_results(trained_once / "results" / "small"))))
