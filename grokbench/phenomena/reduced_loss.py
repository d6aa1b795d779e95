"""How a final loss changes along an axis of the recipe: its minimum, and the walls beside it.

*Estimated*, with final losses in decades (log10) and `axis` = `initial_scale` unless named:

| `effect` | measures |
| --- | --- |
| `depth` | the lower of the two walls |
| `left` | the wall at small values: loss at the smallest value minus loss at the minimum |
| `right` | the wall at large values: loss at the largest value minus loss at the minimum |
| `place` | log10 of the value with the minimum |

`loss` chooses validation or training loss. A loss with a depth above 0 is U-shaped, one with a left wall and no
right wall is L-shaped. The minimum is one of the values between the smallest and the largest.

*Method*: `depth`, `left` and `right`: for each seed, the place of the minimum is taken from the mean curve of
all other seeds, and the walls are read off the seed's own curve. So no loss counts as a minimum because it is
low by chance: without walls, the effect is 0 on average. The interval is Student's t over the seeds' walls. The
lower end of the depth is the smaller of the two walls' lower ends, and the upper end the smaller of the upper
ends at half the error rate each (intersection-union test; Berger 1982, Technometrics 24, 295–300). `place`:
for each seed, the lowest point of the parabola through the lowest loss and its two neighbours; Student's t over
seeds. An end is infinite where some seed has its lowest loss at that end of the axis. Seeds that agree do not
show that the next one does: they are taken to vary at least as much as if one of them differed by
`LEAST_SPREAD` decades of loss, or by one step of the axis.

*Source*: Liu et al. 2022 (Omnigrok, arXiv:2210.01117), § 2, Fig. 1 to 3: over the norm of the weights, reduced
training loss is L-shaped and reduced validation loss is U-shaped; grokking is possible where they differ.

*Assumptions*: Seeds are independent. Losses at the last steps are near the lowest that the recipe reaches
there. The values of the axis reach far enough to both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import AfterValidator, Field

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.labels import text_of
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.axes import checked_axis, log10_positions
from grokbench.readout.curves import settled
from grokbench.readout.grid import canonical, of_part, single_curve
from grokbench.statistics.intervals import Floats, Interval, at_least_apart, t_interval

LEAST_SPREAD = 0.1
"""In decades of loss: about a quarter. A convention, as is one step of the grid in `emergence`."""


class ReducedLossOptions(Options):
    effect: Literal["depth", "left", "right", "place"] = "depth"
    """The lower of the two walls, one of them, or where the minimum is; in decades."""
    loss: Literal["validation", "train"] = "validation"
    """Which loss is looked at."""
    axis: Annotated[str, AfterValidator(checked_axis)] = "initial_scale"
    """A field of the recipe that the experiment varies, `data_size`, or `model_size` (then the number of
    parameters)."""
    floor: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-6
    """Losses below this count as this: how far a model that has learned its examples goes on below does not
    matter. Liu et al. print six decimals."""
    part: str | None = None
    """A part of the task, by default the first."""


class ReducedLoss(Detector):
    """The walls and the minimum of the final loss along an axis of the recipe, in decades.

    Liu et al. 2022 (Omnigrok), § 2, Fig. 1 to 3.
    """

    name = "reduced_loss"
    Options = ReducedLossOptions

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        axis = self.options.axis
        if lengths["experiment"].get(axis, 1) < 3:
            return f"a minimum between two walls needs three values of {axis} or more"
        return None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(_measured, data["experiment"], self.options)
        interval = found.interval(self.options.effect, self.confidence)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit=f"{WORDS[self.options.effect]} {self.options.loss} loss over {self.options.axis}, decades",
            seeds=len(found.walls["left"]),
            evidence=found.evidence,
            details=found.details,
        )


WORDS = {
    "depth": "the lower of the two walls of",
    "left": "the wall at small values of",
    "right": "the wall at large values of",
    "place": "log10 of the place of the minimum of",
}


@dataclass(frozen=True, eq=False)
class _Measured:
    """What each seed shows."""

    walls: Mapping[str, Floats]
    """`left` and `right` → decades, [seeds]."""
    places: Floats
    """log10 of the value with each seed's lowest loss, [seeds]."""
    at_ends: tuple[bool, bool]
    """Whether some seed has its lowest loss at the smallest, and at the largest value."""
    step: float
    """The largest distance between neighbouring values of the axis, in decades."""
    evidence: str
    details: dict[str, Any]

    def interval(self, effect: str, confidence: float) -> Interval:
        if effect == "place":
            found = t_interval(at_least_apart(self.places, self.step), confidence)
            centre = float(self.places.mean())
            half = found.high - found.estimate
            first, last = self.at_ends
            return Interval(
                centre, -np.inf if first else centre - half, np.inf if last else centre + half
            )
        if effect != "depth":
            return self._wall(effect, confidence)
        whole = [self._wall(side, confidence) for side in self.walls]
        # Each of the two upper ends may err, and the smaller one counts.
        halved = [self._wall(side, (1 + confidence) / 2) for side in self.walls]
        return Interval(
            min(one.estimate for one in whole),
            min(one.low for one in whole),
            min(one.high for one in halved),
        )

    def _wall(self, side: str, confidence: float) -> Interval:
        values = self.walls[side]
        found = t_interval(at_least_apart(values, LEAST_SPREAD), confidence)
        centre, half = float(values.mean()), found.high - found.estimate
        return Interval(centre, centre - half, centre + half)


def _measured(dataset: xr.Dataset, options: ReducedLossOptions) -> _Measured:
    axis = options.axis
    data = of_part(canonical(dataset), options.part)
    positions = log10_positions(data, axis)
    data = single_curve(data, axis, "seed")
    # Of a run that collapsed at the end, `settled` takes the highest level held; here the lowest counts.
    losses = -settled(data, -data[f"{options.loss}_loss"]).transpose(axis, "seed").to_numpy()
    curves = np.log10(np.maximum(losses, options.floor)).T
    order = np.argsort(positions)
    positions, curves = positions[order], curves[:, order]
    tried = ~np.isnan(curves).all(axis=0)
    positions, curves = positions[tried], curves[:, tried]
    labels = [text_of(one) for one in data[axis].to_numpy()[order][tried].tolist()]
    _check(curves, axis, labels)
    walls = _walls(curves)
    whole = curves[~np.isnan(curves).any(axis=1)]
    mean = np.nanmean(curves, axis=0)
    lowest = 1 + int(np.argmin(mean[1:-1]))
    ends = whole.argmin(axis=1) if len(whole) else np.array([0, len(labels) - 1])
    return _Measured(
        walls,
        np.array([_vertex(positions, curve) for curve in whole]),
        (bool((ends == 0).any()), bool((ends == len(labels) - 1).any())),
        float(np.diff(positions).max()),
        f"{options.loss} loss is {10 ** mean[0]:.2g} at {axis} {labels[0]}, {10 ** mean[lowest]:.2g} at "
        f"{labels[lowest]} and {10 ** mean[-1]:.2g} at {labels[-1]} (geometric means)",
        {
            "axis": labels,
            "losses": [float(10**one) for one in mean],
            "runs": (~np.isnan(curves)).sum(axis=0).tolist(),
            "lowest": labels[lowest],
        },
    )


def _check(curves: Floats, axis: str, labels: list[str]) -> None:
    if curves.shape[1] < 3:
        raise NotEnoughDataError(
            f"a minimum between two walls needs finished runs with this loss at three values of {axis}, and "
            f"there are {len(labels)}"
        )


def _walls(curves: Floats) -> dict[str, Floats]:
    """The walls of each seed, [seeds] each, from curves [seeds, values] with NaN where no run is.

    Raises:
        NotEnoughDataError: fewer than two seeds have a run at both ends and at the minimum of the others.
    """
    walls = []
    for seed, curve in enumerate(curves):
        others = np.delete(curves, seed, axis=0)[:, 1:-1]
        known = ~np.isnan(others)
        counts = known.sum(axis=0)
        if not counts.any():
            continue
        sums = np.where(known, others, 0).sum(axis=0)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
        lowest = curve[1 + int(np.argmin(means))]
        walls.append((curve[0] - lowest, curve[-1] - lowest))
    whole = np.array([pair for pair in walls if np.isfinite(pair).all()]).reshape(-1, 2)
    if len(whole) < 2:
        raise NotEnoughDataError(
            "walls need two seeds with a finished run at the smallest value, at the largest and at the minimum; "
            f"there are {len(whole)}"
        )
    return {"left": whole[:, 0], "right": whole[:, 1]}


def _vertex(positions: Floats, curve: Floats) -> float:
    """Where a curve is lowest: the vertex of the parabola through its lowest point and both neighbours."""
    at = int(np.argmin(curve))
    if at in (0, len(curve) - 1):
        return float(positions[at])
    x, y = positions[at - 1 : at + 2] - positions[at], curve[at - 1 : at + 2]
    second, first, _ = np.polyfit(x, y, 2)
    if second <= 0:
        return float(positions[at])
    return float(positions[at] + np.clip(-first / (2 * second), x[0], x[2]))
