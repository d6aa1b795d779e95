"""The page: all verdicts and figures in one HTML file that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr

from grokbench.claims import Summary, Verdict, words
from grokbench.plain import in_paragraphs
from grokbench.plugins import guard
from grokbench.record import Status
from grokbench.report import runs, verdicts
from grokbench.report.sections import looks_section, sections_of
from grokbench.report.svg import file_of
from grokbench.store import provenance
from grokbench.suite.model import Suite


def write_report(
    tree: xr.DataTree, suite: Suite, verdicts: Sequence[Verdict], path: str | Path
) -> Path:
    """Write one self-contained HTML page: the verdicts, then a figure for every claim.

    The page holds its figures as SVG, runs no script and loads nothing. The same arguments give
    the same bytes.

    Args:
        tree: the results, one group an experiment; groups and runs may be missing.
        suite: the suite that they are judged by.
        verdicts: one for each claim, as `grokbench.claims.score` returns them.
        path: the file to write; its folder is made when it does not exist.

    Returns:
        The path.
    """
    # Found before a plugin draws, which may leave the working folder.
    target = Path(path).absolute()
    page = _template().render(_context(tree, suite, verdicts))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8", errors="backslashreplace")
    return Path(path)


def save_figures(
    tree: xr.DataTree,
    verdicts: Sequence[Verdict],
    folder: str | Path,
    formats: Sequence[str] = ("svg", "png"),
) -> list[Path]:
    """Save every figure of the report as files of their own, each named after its first claim.

    Args:
        tree: the results, one group an experiment.
        verdicts: one for each claim that is drawn.
        folder: where the files go; made when it does not exist.
        formats: `svg`, `png`, `pdf`.

    Returns:
        The files written, in the order of the page.

    Raises:
        PluginFailure: a plugin's figure cannot be rendered in one of the formats. The files before
            it are written.
    """
    folder = Path(folder)
    target = folder.absolute()
    target.mkdir(parents=True, exist_ok=True)
    drawings = [
        (section.name, section.owner, section.drawing) for section in sections_of(tree, verdicts)
    ]
    if looks := looks_section(verdicts):
        drawings.insert(0, ("looks", "The figure of the looks", looks[0]))
    written = []
    for name, owner, drawing in drawings:
        if drawing is None:
            continue
        for suffix in formats:
            with guard(owner):
                content = file_of(drawing, name, suffix)
            written.append(folder / f"{name}.{suffix}")
            (target / written[-1].name).write_bytes(content)
    return written


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("grokbench.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: in_paragraphs(value) if type(value) is str else value,
    )
    environment.filters.update(
        bar=verdicts.bar,
        moment=runs.moment,
        interval=words.interval,
        rule=words.rule_words,
        where=verdicts.where,
    )
    return environment.get_template("page.html")


def _context(tree: xr.DataTree, suite: Suite, judged: Sequence[Verdict]) -> dict[str, Any]:
    sections, looks = sections_of(tree, judged), looks_section(judged)
    wrong = runs.went_wrong(suite, tree)
    return {
        "suite": suite,
        "verdicts": judged,
        "totals": verdicts.totals(judged),
        "score": Summary.of(judged),
        "sections": sections,
        "looks": looks[0] if looks else None,
        "looks_svg": looks[1] if looks else "",
        "figure_of": {
            one.claim.name: section.name for section in sections for one in section.verdicts
        },
        "experiments": runs.trained(suite, tree),
        "statuses": list(Status),
        "wrong": wrong[: runs.MOST_LISTED],
        "unlisted": max(0, len(wrong) - runs.MOST_LISTED),
        "sittings": provenance(tree)["sittings"] if "grokbench" in tree.attrs else [],
    }
