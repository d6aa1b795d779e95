"""docs/conformance.md lists every check, in the words of its own docstring."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from grokbench.testing.conformance.checks import KINDS, PROMISES, Promise

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def table(promised: Iterable[Promise]) -> str:
    rows = [f"| `{one.name}` | {one.sentence} |" for one in promised]
    return "\n".join(["| check | what it promises |", "| --- | --- |", *rows]) + "\n"


def test_every_check_is_listed_under_its_kind() -> None:
    for module in ("every_kind", "plugins", *(f"{kind}s" for kind in KINDS)):
        import_module(f"grokbench.testing.conformance.{module}")
    text = DOCUMENT.read_text(encoding="utf-8") + "\n"
    assert {"plugin", "definition", *KINDS} == set(PROMISES)
    for kind, promised in PROMISES.items():
        assert table(promised) in text, kind
