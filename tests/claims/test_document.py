"""The layout of verdicts.json, and the schema that describes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter, ValidationError

from grokbench.claims import verdicts_document
from grokbench.claims.document import SCHEMA, VerdictsDocument, json_schema
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.phenomena.base import Finding
from grokbench.record import Choice
from grokbench.statistics.intervals import Interval
from grokbench.suite.model import Claim, Rule, Suite
from tests.phenomena.worlds import ending_at, world

ROOT = Path(__file__).parents[2]
LAYOUT = TypeAdapter(VerdictsDocument)

CLAIM = Claim(
    "dips",
    "It dips.",
    Choice("double_descent", {"smoothing": np.True_}),
    {"experiment": "addition"},
    Rule(at_least=0.1),
    where={"model_size": [8]},
)


def document(*verdicts: Verdict) -> VerdictsDocument:
    cells = world(lambda *_: ending_at(0.5), sizes=(8, 16), seeds=(0, 1, 2))
    tree = xr.DataTree.from_dict({"addition": cells})
    suite = Suite("dips", {}, {verdict.claim.name: verdict.claim for verdict in verdicts})
    return verdicts_document(suite, verdicts, tree)


FOUND = Verdict(
    CLAIM,
    Outcome.UNDECIDED,
    Finding(0.3, -np.inf, np.nan, "depth", 3, "as told", {"falls": np.arange(2.0)}),
    "the interval contains the bound",
    0.975,
    Interval(0.3, -np.inf, np.inf),
)


def test_it_is_json_without_infinities_and_keeps_to_its_layout() -> None:
    written = json.dumps(
        document(FOUND, Verdict(CLAIM, Outcome.NOT_RUN, None, "")), allow_nan=False
    )
    LAYOUT.validate_json(written, strict=True)
    entry = json.loads(written)["claims"][0]
    assert ("-inf", None) == (entry["finding"]["low"], entry["finding"]["high"])
    assert {"confidence": 0.975, "low": "-inf", "high": "inf"} == entry["decision"]


def test_it_says_which_cells_and_how_many_of_their_runs_are_done() -> None:
    (entry,) = document(FOUND)["claims"]
    cells = entry["cells"]["experiment"]
    assert "addition" == cells["experiment"]
    assert [8] == cells["grid"]["model_size"]
    assert (3, 3, 0) == (cells["runs"], cells["done"], cells["not_run"])


def test_a_selection_that_the_results_lack_has_no_cells() -> None:
    missing = Claim("a", "", Choice("x"), {"experiment": "addition"}, Rule(0.0), {"model_size": 9})
    (entry,) = document(Verdict(missing, Outcome.UNDECIDED, None, "no such size"))["claims"]
    assert {} == entry["cells"]


@pytest.mark.parametrize("key", sorted(VerdictsDocument.__annotations__))
def test_the_layout_misses_what_is_taken_away(key: str) -> None:
    told = {name: value for name, value in document(FOUND).items() if name != key}
    with pytest.raises(ValidationError):
        LAYOUT.validate_python(told)


def test_the_published_schema_is_the_layout_of_this_version() -> None:
    path = ROOT / "docs" / "verdicts.schema.json"
    assert json_schema() == json.loads(path.read_text(encoding="utf-8"))
    assert SCHEMA == json_schema()["properties"]["schema"]["const"]
