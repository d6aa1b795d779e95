"""The looks of a sequential suite: the interval of each claim at each look, against its rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grokbench.claims import Look, Outcome, Verdict
from grokbench.claims.words import number, rule_in_prose
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Drawing
from grokbench.report.palette import BLUE, PALE, VERMILLION

COLUMNS = 3

COLOURS = {Outcome.REPRODUCED: BLUE, Outcome.NOT_REPRODUCED: VERMILLION}
"""The colour of the interval that decided; all other intervals are pale."""


def looks(verdicts: Sequence[Verdict]) -> Drawing:
    """One panel for each claim: the effect and its interval over the number of seeds.

    Args:
        verdicts: of a sequential suite. Claims without an interval at any look are left out.

    Raises:
        NotEnoughDataError: no claim has an interval at any look.
    """
    shown = [verdict for verdict in verdicts if any(map(_drawable, verdict.looks))]
    if not shown:
        raise NotEnoughDataError("no claim has an interval at any look")
    rows = -(-len(shown) // COLUMNS)
    figure = Figure((8.6, 0.5 + 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[len(shown) :]:
        spare.remove()
    for panel, verdict in zip(axes, shown, strict=False):
        _panel(panel, verdict)
    figure.supxlabel("seeds of each cell", fontsize=9.5)
    return Drawing(
        figure,
        title="The looks at each claim",
        caption="The effect (dot) and the interval that is held against the rule (line), at each look. "
        "The shaded range satisfies the rule. A claim is decided (dark) when the whole interval lies "
        "inside or outside this range. An arrow: the interval goes on without an end.",
        alternative="; ".join(_in_words(verdict) for verdict in shown),
    )


def _drawable(look: Look) -> bool:
    return look.effect is not None and math.isfinite(look.effect)


def _panel(axes: Axes, verdict: Verdict) -> None:
    rule = verdict.claim.rule
    bound = rule.at_least if rule.at_least is not None else rule.at_most
    assert bound is not None
    taken = [look for look in verdict.looks if _drawable(look)]
    ends = [end for look in taken for end in (look.low, look.effect, look.high) if end is not None]
    finite = [end for end in (*ends, bound) if math.isfinite(end)]
    margin = 0.15 * (max(finite) - min(finite)) or 0.1
    bottom, top = min(finite) - margin, max(finite) + margin
    accepted = (bound, top) if rule.at_least is not None else (bottom, bound)
    axes.axhspan(*accepted, color=PALE, alpha=0.18, linewidth=0)
    axes.axhline(bound, color=PALE, linewidth=1)
    for position, look in enumerate(taken):
        _interval(axes, position, look, bottom, top)
    axes.set_ylim(bottom, top)
    axes.set_xticks(range(len(taken)), [str(look.seeds) for look in taken])
    axes.set_xlim(-0.6, max(len(taken), 3) - 0.4)
    axes.tick_params(labelsize=8)
    axes.set_title(fill(verdict.claim.name.replace("_", " "), 30), fontsize=8.5)


def _interval(axes: Axes, position: int, look: Look, bottom: float, top: float) -> None:
    assert look.effect is not None
    assert look.low is not None
    assert look.high is not None
    colour = COLOURS.get(look.outcome, PALE)
    ends = [max(look.low, bottom), min(look.high, top)]
    axes.plot([position, position], ends, color=colour, linewidth=2.2)
    axes.plot([position], [look.effect], "o", color=colour)
    for end, edge, marker in ((look.low, bottom, "v"), (look.high, top, "^")):
        if math.isinf(end):
            axes.plot([position], [edge], marker, color=colour, clip_on=False)


def _in_words(verdict: Verdict) -> str:
    steps = ", ".join(
        f"{number(look.low)} to {number(look.high)} with {look.seeds} seeds"
        for look in verdict.looks
        if look.low is not None and look.high is not None
    )
    return (
        f"{verdict.claim.name} (rule {rule_in_prose(verdict.claim.rule)}): {steps}; "
        f"{verdict.outcome.description}"
    )
