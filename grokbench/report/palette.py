"""Colours, markers, dashes and hatches. Each of them alone distinguishes the parts of a figure.

So figures can be read without colours and in black and white. The single colours are those of
Okabe and Ito, which colour-blind readers can distinguish. Ordered lines (sizes) go from light to
dark along viridis, whose lightness alone shows the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.colors import to_hex

from grokbench.readout import Dynamic

INK = "#22262b"
PALE = "#8b929a"
GRID = "#d9dce0"

BLUE = "#0072b2"
VERMILLION = "#d55e00"

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES: tuple[tuple[int, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)

Dash = tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Stroke:
    """How one line looks."""

    colour: str
    marker: str
    dash: Dash


def ordered(count: int) -> list[Stroke]:
    """Strokes for `count` ordered lines, from light to dark."""
    ramp = mpl.colormaps["viridis"].reversed()
    shades = [0.6] if count == 1 else [0.24 + 0.72 * i / (count - 1) for i in range(count)]
    return [
        Stroke(to_hex(ramp(shade)), MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, shade in enumerate(shades)
    ]


ONE = Stroke(BLUE, "o", DASHES[0])
OTHER = Stroke(VERMILLION, "s", DASHES[1])


@dataclass(frozen=True)
class Fill:
    """How the area of one dynamic looks."""

    colour: str
    hatch: str
    lines: str
    """The colour of the hatch."""


FILLS = {
    Dynamic.PROGRESSION: Fill("#9fd3f2", "///", "#2f7fae"),
    Dynamic.UNGROKKING: Fill("#fbe3d3", "...", "#d55e00"),
    Dynamic.SEMI_GROKKING: Fill("#f2c14e", "xxx", "#a06a00"),
    Dynamic.GROKKING: Fill("#00835f", "", "#00835f"),
    Dynamic.NONE: Fill("#e4e6e9", "--", "#9aa1a9"),
}
"""Dynamic → fill, in the order in which dynamics are listed everywhere."""
