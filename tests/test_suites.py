"""The suites that come with grokbench, and the results that were committed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from grokbench import load_suite, provenance, run_suite
from grokbench.claims import Outcome, Summary, verdicts_document
from grokbench.claims.markdown import verdict_table
from grokbench.cli.judged import Judged, judge
from grokbench.plan import make_plan
from grokbench.store import records_in

ROOT = Path(__file__).parents[1]
SUITES = sorted((ROOT / "suites").glob("*.toml"))
RESULTS = sorted(path.parent for path in (ROOT / "results").glob("*/verdicts.json"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_every_suite_is_sound_and_says_where_its_claims_come_from(path: Path) -> None:
    suite = load_suite(path)
    assert path.stem == suite.name
    for claim in suite.claims.values():
        assert "20" in claim.source


@cache
def judged(name: str) -> Judged:
    """Committed results, judged by the suite that they carry."""
    return judge(ROOT / "results" / name, None, ())


@pytest.mark.parametrize("folder", RESULTS, ids=lambda folder: folder.name)
def test_committed_results_are_what_they_are_said_to_be(folder: Path) -> None:
    """As complete as results/README.md says, and they score to the committed verdicts."""
    suite = load_suite(ROOT / "suites" / f"{folder.name}.toml")
    results = judged(folder.name)
    assert suite.text == provenance(results.tree)["suite"]["text"] == results.suite.text
    plan = make_plan(suite, suite.plugins, records_in(results.tree))
    missing = sum(len(one.runs) for one in plan.missing)
    runs = len(suite.runs())
    done = f"{runs - missing} of {runs} runs" if missing else "all of it"
    if suite.sequential is not None:
        waiting = sum(verdict.next_look is not None for verdict in results.verdicts)
        ended = f"{waiting} of {len(suite.claims)} claims wait for more seeds"
        done = f"{runs - missing} runs; {ended if waiting else 'every claim has ended'}"
    table = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    assert f"| `{folder.name}/` | `suites/{folder.name}.toml` | {done}" in table
    document = verdicts_document(suite, results.verdicts, results.tree)
    again = json.loads(json.dumps(document))
    committed = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert summary(committed) == summary(again)


@pytest.mark.parametrize("name", ["quick", "paper", "quick-fixed", "paper-lite", "paper-fixed"])
def test_the_readme_of_the_results_shows_the_verdicts(name: str) -> None:
    verdicts = judged(name).verdicts
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    assert verdict_table(verdicts) in text
    assert str(Summary.of(verdicts)) in text


def summary(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Each claim, its outcome, and its finding as far as other versions of scipy agree on it."""
    return [
        (entry["claim"], entry["outcome"], *(
            None if entry["finding"] is None else f"{float(entry['finding'][name]):.6g}"
            for name in ("effect", "low", "high")
        ))
        for entry in document["claims"]
    ]  # fmt: skip


@pytest.mark.slow
def test_the_smoke_suite_reproduces_its_claims(tmp_path: Path) -> None:
    sitting = run_suite(ROOT / "suites" / "smoke.toml", tmp_path)
    assert [Outcome.REPRODUCED] * 2 == [verdict.outcome for verdict in sitting.verdicts]
