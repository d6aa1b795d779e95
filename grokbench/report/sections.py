"""Which claims are drawn as one figure, and that figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import xarray as xr

from grokbench.claims import datasets_of, selected
from grokbench.errors import NotEnoughDataError
from grokbench.readout.curves import finished
from grokbench.record import canonical_json
from grokbench.report.figures import OVERVIEW, SORTS, Sort
from grokbench.report.svg import Drawing, house_style
from grokbench.suite.model import Claim


@dataclass(frozen=True, eq=False)
class Section:
    """Claims about one and the same figure."""

    name: str
    """The first claim's: the figure's file name, and its anchor on the page."""
    claims: tuple[Claim, ...]
    drawing: Drawing | None
    """None where there is nothing to draw."""
    why_not: str = ""


def sections_of(tree: xr.DataTree, claims: Iterable[Claim]) -> list[Section]:
    """Every claim in exactly one section, in the order in which figures first come up."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(_figure_key(claim), []).append(claim)
    return [_section(tree, tuple(group)) for group in groups.values()]


def _sort(claim: Claim) -> Sort:
    return SORTS.get(claim.detector.name, OVERVIEW)


def _elsewhere(claim: Claim) -> Claim:
    """The claim with its selection along what the figure spans taken away."""
    spans = _sort(claim).spans
    return replace(claim, where={k: v for k, v in claim.where.items() if k not in spans})


def _figure_key(claim: Claim) -> str:
    ignored = _sort(claim).ignores
    options = {k: v for k, v in claim.detector.options.items() if k not in ignored}
    return canonical_json(
        [claim.detector.name, options, dict(claim.experiments), dict(_elsewhere(claim).where)]
    )


def _section(tree: xr.DataTree, claims: tuple[Claim, ...]) -> Section:
    first = _elsewhere(claims[0])
    try:
        with house_style():
            drawing = _drawing(tree, first)
    except NotEnoughDataError as error:
        return Section(first.name, claims, None, str(error))
    return Section(first.name, claims, drawing)


def _drawing(tree: xr.DataTree, claim: Claim) -> Drawing:
    datasets = datasets_of(claim, tree)
    absent = [name for role, name in claim.experiments.items() if role not in datasets]
    if absent:
        raise NotEnoughDataError(f"no results of {', '.join(absent)}")
    data = selected(claim, datasets)
    unfinished = [claim.experiments[r] for r, d in data.items() if not bool(finished(d).any())]
    if unfinished:
        raise NotEnoughDataError(f"no finished run in {', '.join(unfinished)}")
    return _sort(claim).draw(data, claim.detector.options)
