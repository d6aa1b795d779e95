"""docs/conformance.md lists every check, in the words of its own docstring."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from grokbench.testing.conformance.checks import EVERY_KIND, EXAMINATIONS, sentence_of
from grokbench.testing.conformance.kinds import KINDS
from grokbench.testing.conformance.plugins import examinations_of_modules

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def table(examinations) -> str:
    rows = [f"| `{one.__name__}` | {sentence_of(one)} |" for one in examinations]
    return "\n".join(["| check | what it asks |", "| --- | --- |", *rows])


def test_every_check_is_listed_under_its_kind() -> None:
    for kind in KINDS:
        import_module(f"grokbench.testing.conformance.{kind}s")
    import_module("grokbench.testing.conformance.every_kind")
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table(examinations_of_modules()) in text
    for kind in (EVERY_KIND, *KINDS):
        assert table(EXAMINATIONS[kind].values()) in text, kind
