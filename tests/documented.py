"""The files that a document says to save, and the mistakes that it describes with their messages."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

SAVED = re.compile(
    r"`(?P<name>[\w./-]+\.(?:py|toml))`[^`]*:\n\n```\w+\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
"""A code block after a sentence that contains the file's name and ends with a colon."""

MISTAKE = re.compile(
    r"^`(?P<right>.+?)` (?:written as `(?P<wrong>.+?)`|left out); `(?P<teller>[\w ]+)` says:\n\n"
    r"(?P<message>(?:    .*\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Mistake:
    """An edit of a document's example, the command or check that reports it, and the message."""

    right: str
    wrong: str
    teller: str
    message: str

    def made_in(self, files: dict[str, str]) -> dict[str, str]:
        """The files; the first file that contains `right` exactly once has the mistake."""
        file = next(name for name, text in files.items() if text.count(self.right) == 1)
        return {**files, file: files[file].replace(self.right, self.wrong)}


def saved(document: Path) -> dict[str, str]:
    """The name of each file that the document says to save, and its text."""
    return {
        found["name"]: found["text"]
        for found in SAVED.finditer(document.read_text(encoding="utf-8"))
    }


def mistakes(document: Path) -> list[Mistake]:
    """The document's mistakes, their messages in one line each."""
    return [
        Mistake(found["right"], found["wrong"] or "", found["teller"], one_line(found["message"]))
        for found in MISTAKE.finditer(document.read_text(encoding="utf-8"))
    ]


def one_line(text: str) -> str:
    return " ".join(text.split())


def written(files: dict[str, str], folder: Path) -> None:
    """Save the files. A package among them is installed, if `folder` is on Python's path."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if "pyproject.toml" in files:
        project = tomllib.loads(files["pyproject.toml"])["project"]
        metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = [
            line
            for group, announced in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{key} = {value}" for key, value in announced.items()))
        ]
        (metadata / "entry_points.txt").write_text("\n".join(points))
