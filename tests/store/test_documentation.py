"""docs/results.md is true: its examples run, and it names every variable and coordinate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grokbench.store import Store, collect_provenance

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.fixture
def results(tmp_path, monkeypatch, suite, record):
    """The folder that the page speaks of, seen from where the reader would stand."""
    monkeypatch.chdir(tmp_path)
    quick = suite()
    store = Store(Path("results/quick"), "quick")
    store.save("cohort", [record(run) for run in quick.runs().values()])
    now = collect_provenance(quick, tmp_path, device="cpu", plugins={}, seconds=1)
    return store.assemble(quick, now)


def test_the_examples_run(results, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})  # noqa: S102 (the page's own code)
    output = capsys.readouterr().out
    for word in ("addition", "validation_accuracy", "name = 'small'", "torch"):
        assert word in output, word


def test_every_variable_and_coordinate_is_named(results):
    page = PAGE.read_text()
    for name in results["addition"].to_dataset().variables:
        assert f"`{name}`" in page, name
