"""Tables in Markdown, and the places between two marks of a document where they go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Marks:
    """Two comments in a document. What stands between them is written by a study."""

    start: str
    end: str

    def split(self, document: Path) -> tuple[str, str, str]:
        """The text before the marks, between them, and after them."""
        before, rest = document.read_text(encoding="utf-8").split(self.start)
        between, after = rest.split(self.end)
        return before, between.strip(), after

    def write(self, document: Path, text: str) -> None:
        """Replace what stands between the marks."""
        before, _, after = self.split(document)
        whole = f"{before}{self.start}\n\n{text}\n\n{self.end}{after}"
        document.write_text(whole, encoding="utf-8")


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(header)
    return "\n".join([row(*head), row(*["---"] * len(head)), *(row(*cells) for cells in rows)])
