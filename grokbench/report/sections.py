"""Which claims are drawn as one figure, and that figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import xarray as xr

from grokbench.claims import Verdict, datasets_of, selected
from grokbench.claims.asking import copied
from grokbench.errors import NotEnoughDataError, PluginFailure
from grokbench.phenomena.base import Detector, Drawing
from grokbench.plugins import guard, message_of
from grokbench.readout import finished
from grokbench.record import canonical_json
from grokbench.report.figures.looks import looks
from grokbench.report.figures.overview import overview
from grokbench.report.svg import house_style, inline_svg
from grokbench.report.verdicts import where
from grokbench.suite.model import Claim

OVERVIEW_SPANS = ("model_size", "data_size")
"""What `figure_spans` is for detectors that bring no figure."""


@dataclass(frozen=True, eq=False)
class Section:
    """Claims that are drawn as one figure."""

    verdicts: tuple[Verdict, ...]
    drawing: Drawing | None = None
    """None where there is nothing to draw, or where drawing failed."""
    svg: str = ""
    """The figure as an element of the page."""
    why_not: str = ""
    """Why there is no figure, in words."""

    @property
    def heading(self) -> str:
        """The figure's title, and which experiments it shows: figures may share a title."""
        title = self.drawing.title if self.drawing else "No figure"
        return f"{title} ({where(_whole(self.verdicts[0]))})"

    @property
    def name(self) -> str:
        """The first claim's: the figure's file name, and its anchor on the page."""
        return self.verdicts[0].claim.name

    @property
    def owner(self) -> str:
        """Whose code draws, in words."""
        return f"The figure of detector {self.verdicts[0].claim.detector.name!r}"


def sections_of(tree: xr.DataTree, verdicts: Iterable[Verdict]) -> list[Section]:
    """Every verdict in exactly one section, in the order of each figure's first claim."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(_figure_key(verdict), []).append(verdict)
    return [_section(tree, tuple(group)) for group in groups.values()]


def _spans(detector: Detector | None) -> tuple[str, ...]:
    """The dimensions that the figure shows whole."""
    if detector is None:
        return OVERVIEW_SPANS
    own = detector.drawn_by is not None or type(detector).figure is not Detector.figure
    return detector.figure_spans if own else OVERVIEW_SPANS


def _whole(verdict: Verdict) -> Claim:
    """The claim without its selection along the dimensions that the figure shows whole."""
    claim, spans = verdict.claim, _spans(verdict.detector)
    return replace(claim, where={k: v for k, v in claim.where.items() if k not in spans})


def _figure_key(verdict: Verdict) -> str:
    """Equal for claims that share a figure."""
    claim = _whole(verdict)
    ignored = verdict.detector.figure_ignores if verdict.detector is not None else ()
    options = {k: v for k, v in claim.detector.options.items() if k not in ignored}
    return canonical_json(
        [claim.detector.name, options, dict(claim.experiments), dict(claim.where)]
    )


def looks_section(verdicts: Sequence[Verdict]) -> tuple[Drawing, str] | None:
    """The figure of the looks and its SVG; None where no claim has looked at intervals."""
    try:
        with house_style():
            drawing = looks(verdicts)
    except NotEnoughDataError:
        return None
    return drawing, inline_svg(drawing, "looks")


def _section(tree: xr.DataTree, verdicts: tuple[Verdict, ...]) -> Section:
    """Draw the figure of some claims; an error of a plugin becomes text in the figure's place.

    A figure cannot end the command, nor change the working folder or other global settings.
    """
    section = Section(verdicts)
    try:
        with guard(section.owner, NotEnoughDataError):
            with house_style():
                drawing = _drawing(tree, verdicts)
            # A figure may fail only when it is rendered, for example at a label with wrong TeX.
            return replace(section, drawing=drawing, svg=inline_svg(drawing, section.name))
    except NotEnoughDataError as error:
        return replace(section, why_not=f"Nothing to draw: {message_of(error)}.")
    except PluginFailure as failure:  # one figure must not cost the page
        return replace(section, why_not=f"{section.owner} failed: {failure.told}.")


def _drawing(tree: xr.DataTree, verdicts: Sequence[Verdict]) -> Drawing:
    first = verdicts[0]
    claim = _whole(first)
    datasets = datasets_of(claim, tree)
    absent = [name for role, name in claim.experiments.items() if role not in datasets]
    if absent:
        raise NotEnoughDataError(f"no results of {', '.join(absent)}")
    data = selected(claim, datasets)
    unfinished = [claim.experiments[r] for r, d in data.items() if not bool(finished(d).any())]
    if unfinished:
        raise NotEnoughDataError(f"no finished run in {', '.join(unfinished)}")
    if first.detector is None:
        return overview(data)
    # Copies: the other figures and the tables show the same datasets and findings.
    drawing = first.detector.figure(copied(data), deepcopy(first.finding))
    if drawing is None:
        return overview(data)
    if not isinstance(drawing, Drawing):
        raise TypeError(
            f"figure() returned {type(drawing).__name__}; return a grokbench.Drawing, or None"
        )
    return drawing
