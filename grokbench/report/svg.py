"""Turns figures into SVG for a page, or into files.

Figures are matplotlib's `Figure` objects; `pyplot` and its global state are never used. The same
data give the same bytes: identifiers are salted with the figure's name, and no date is written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure

from grokbench.phenomena.base import Drawing
from grokbench.plain import in_paragraphs, in_xml
from grokbench.report.palette import GRID, INK

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.minor.size": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.7,
    "figure.facecolor": "none",
}

DRAWN = frozenset(
    [
        "a",
        "circle",
        "clipPath",
        "defs",
        "ellipse",
        "feColorMatrix",
        "feComponentTransfer",
        "feFuncA",
        "feGaussianBlur",
        "feMerge",
        "feMergeNode",
        "feOffset",
        "filter",
        "g",
        "image",
        "line",
        "linearGradient",
        "mask",
        "path",
        "pattern",
        "polygon",
        "polyline",
        "radialGradient",
        "rect",
        "stop",
        "style",
        "text",
        "tspan",
        "use",
    ]
)
"""The elements of SVG that draw. All others are left out, scripts and foreign elements among them."""

REFERENCE = re.compile(r"(\burl\(#)")


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with STYLE on top; settings made outside do not apply within."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def panels(count: int, width: float = 8.6, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    """A figure (inches) with `count` panels side by side, at most three in a row.

    They share their vertical scale.
    """
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = Figure((width, height * (0.3 + 0.7 * rows)), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def panels_with_strips(
    count: int, strip_height: float, width: float = 8.6, height: float = 3.9
) -> tuple[Figure, list[Axes], list[Axes]]:
    """Like `panels`, all in one row, and under each a strip `strip_height` inches high."""
    figure = Figure((width, height + strip_height), layout="constrained")
    grid = figure.subplots(
        2, count, sharex="col", sharey="row", squeeze=False, height_ratios=(height, strip_height)
    )
    return figure, list(grid[0]), list(grid[1])


def inline_svg(drawing: Drawing, name: str) -> str:
    """The figure as an `<svg>` element for an HTML page, where `name` keeps its identifiers apart."""
    # Text stays text, so that the page can be searched and is small.
    text = _rendered(drawing, name, "svg", {"svg.fonttype": "none"}).decode()
    root = ET.fromstring(in_xml(in_paragraphs(text)))  # noqa: S314 (matplotlib has written it)
    _make_harmless(root, f"{name}-")
    return ET.tostring(root, encoding="unicode").strip()


def _make_harmless(element: ET.Element, prefix: str) -> None:
    """Keep drawings, text and links to web pages; put `prefix` before each identifier.

    matplotlib uses the same identifiers in every figure, and all figures share one page.
    """
    element.tag = _local(element.tag)
    attributes = {_local(key): value for key, value in element.attrib.items()}
    element.attrib.clear()
    for key, value in attributes.items():
        if key == "id":
            element.set(key, f"{prefix}{value}")
        elif key == "href":
            if value.startswith("#"):
                element.set(key, f"#{prefix}{value[1:]}")
            elif is_web_page(value) if element.tag == "a" else value.startswith("data:image/png;"):
                # The parser has made spaces of the line breaks in the data of an image.
                element.set(key, value.replace(" ", ""))
        elif not key.startswith("on") and key != "version":
            element.set(key, REFERENCE.sub(rf"\g<1>{prefix}", value))
    if element.tag == "a":
        element.set("rel", "noopener noreferrer")
    for child in list(element):
        if _local(child.tag) in DRAWN:
            _make_harmless(child, prefix)
        else:
            element.remove(child)


def _local(name: str) -> str:
    """The name without its namespace, as HTML writes it."""
    return name.rpartition("}")[2]


def is_web_page(link: str) -> bool:
    """Whether a link leads to a web page. Links such as `javascript:…` are programs."""
    return re.match(r"https?://", link, re.IGNORECASE) is not None


def without_programs(figure: Figure) -> None:
    """Take from a figure the links that lead to no web page; plugins can set any."""
    for artist in figure.findobj():
        if artist.get_url() is not None and not is_web_page(str(artist.get_url())):
            artist.set_url(None)
        if isinstance(artist, Collection):
            artist.set_urls(
                [one if one and is_web_page(str(one)) else None for one in artist.get_urls()]
            )


def file_of(drawing: Drawing, name: str, kind: str) -> bytes:
    """The figure on white, as the content of a file.

    Args:
        name: keeps the identifiers of an SVG apart.
        kind: `svg`, `png` or `pdf`.
    """
    return _rendered(drawing, name, kind, {}, facecolor="white")


def _rendered(
    drawing: Drawing, salt: str, kind: str, settings: dict[Any, Any], facecolor: str = "none"
) -> bytes:
    buffer = io.BytesIO()
    # Without dates and versions, equal data give equal bytes.
    nothing = {"svg": ("Date", "Creator", "Format", "Type"), "png": ("Software",)}
    metadata = dict.fromkeys(nothing.get(kind, ("Creator", "Producer", "CreationDate")))
    without_programs(drawing.figure)
    with house_style(), mpl.rc_context({"svg.hashsalt": salt, **settings}):
        drawing.figure.savefig(buffer, format=kind, metadata=metadata, facecolor=facecolor, dpi=160)
    return buffer.getvalue()
