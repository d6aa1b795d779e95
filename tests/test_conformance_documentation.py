"""docs/conformance.md lists every check, in the words of its own docstring."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from grokbench.testing.conformance.checks import EXAMINATIONS, Examination, sentence_of
from grokbench.testing.conformance.kinds import KINDS

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def table(examinations: Iterable[Examination]) -> str:
    rows = [f"| `{one.__name__}` | {sentence_of(one)} |" for one in examinations]
    return "\n".join(["| check | what it promises |", "| --- | --- |", *rows]) + "\n"


def test_every_check_is_listed_under_its_kind() -> None:
    for module in ("every_kind", "plugins", *(f"{kind}s" for kind in KINDS)):
        import_module(f"grokbench.testing.conformance.{module}")
    text = DOCUMENT.read_text(encoding="utf-8") + "\n"
    assert {"plugin", "definition", *KINDS} == set(EXAMINATIONS)
    for kind, examinations in EXAMINATIONS.items():
        assert table(examinations.values()) in text, kind
