"""Double descent in model size: accuracy that rises, falls and rises again as models grow.

Estimated is the depth of the deepest dip of mean final accuracy along model size: the smaller of
the fall into the dip and the rise out of it. A dip consists of three groups of neighbouring sizes,
since neighbours together show a shallow dip that single sizes do not. The estimate and both ends of
the interval invert tests of how deep the dip is (`grokbench.statistics.dip_depth`, with all
assumptions).

Source: Huang et al. 2024 (arXiv:2402.15175), takeaway 5, Fig. 6; model-wise double descent was
described by Nakkiran et al. 2020.

Assumptions: one data size; all runs are independent, also runs of one seed at different sizes.
Nothing is assumed about the form of the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import canonical, generalization_accuracy, of_part, settled, single_curve
from grokbench.statistics.dip_depth import DipDepth

Metric = Literal["validation_accuracy", "mirror_free_accuracy"]

LEARNED = 0.1
"""If mean mirror-free accuracy is below this at every model size, nothing was learned that could
dip. Below the same level `dynamics` says that a run has not generalized."""


class DoubleDescentOptions(Options):
    metric: Metric = "validation_accuracy"
    """The paper's figures show plain validation accuracy."""
    smoothing: bool = True
    """Use groups of neighbouring sizes as well as single sizes to show a dip."""
    width: Annotated[int, Field(ge=1)] = 1
    """How many neighbouring sizes peak, dip and recovery each span; narrower dips do not count."""
    part: str | None = None
    """Which part of the task; the first by default."""


@dataclass(frozen=True)
class Dip:
    """The deepest dip of an experiment, with the model sizes' `labels`, in words."""

    depth: DipDepth
    labels: tuple[str, ...]

    @property
    def sizes(self) -> tuple[str, str, str]:
        """Sizes of peak, bottom and recovery; `8–16` is a group of neighbours."""
        peak, bottom, recovery = (self._name(group) for group in self.depth.place)
        return peak, bottom, recovery

    @property
    def evidence(self) -> str:
        (peak, bottom, recovery), (fall, rise) = self.sizes, self.depth.legs
        legs = (
            f"mean accuracy falls by {fall:z.2f} from size {peak} to {bottom} and rises by "
            f"{rise:z.2f} to {recovery}"
        ).replace("-", "−")
        if self.depth.estimate > 0:
            return legs
        return f"no dip was found: {legs}, no more than by noise alone"

    def _name(self, group: int) -> str:
        groups = self.depth.groups
        first, last = groups.start[group], groups.end[group] - 1
        return f"{self.labels[first]}–{self.labels[last]}" if last > first else self.labels[first]


def find_dip(dataset: xr.Dataset, options: DoubleDescentOptions) -> Dip:
    """Measure the deepest dip in an experiment's curve of mean final accuracy over model size.

    Model sizes with finished runs of fewer than two seeds are left out.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field; fewer than three
            model sizes (three times the width) with finished runs of two seeds; or nothing was
            learned at any size.
    """
    data = single_curve(of_part(canonical(dataset), options.part), "model_size", "seed")
    accuracy = settled(data, options.metric).transpose("model_size", "seed").to_numpy()
    sizes = (~np.isnan(accuracy)).sum(axis=1) >= 2
    if sizes.sum() < 3 * options.width:
        wide = f" ({3 * options.width} sizes for a width of {options.width})"
        raise NotEnoughDataError(
            "a dip needs three model sizes with finished runs of two seeds"
            f"{wide if options.width > 1 else ''}; there are {sizes.sum()} sizes"
        )
    learned = settled(data, generalization_accuracy(data)).mean("seed").max().item()
    if learned < LEARNED:
        raise NotEnoughDataError(
            "nothing was learned that could dip: mean mirror-free accuracy is "
            f"{learned:.2f} at the most, at any model size"
        )
    labels = tuple(str(label) for label in data["model_size"].to_numpy()[sizes])
    return Dip(DipDepth.of(accuracy[sizes], options.width, options.smoothing), labels)


def wider_than_the_grid(
    options: DoubleDescentOptions, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The warning for a grid with too few model sizes; `lengths` as in `Detector.warning`."""
    sizes, needed = min(length["model_size"] for length in lengths.values()), 3 * options.width
    if sizes >= needed:
        return None
    if options.width == 1:
        return f"a dip takes 3 model sizes, and there are {sizes}; select or train more"
    return (
        f"a dip {options.width} sizes wide takes {needed} model sizes, and there are {sizes}; "
        "write a smaller width, or none"
    )


class DoubleDescent(Detector):
    """Depth of the dip of final accuracy along model size.

    The effect is the smaller of the fall into the dip and the rise out of it, and is zero or
    negative where no dip was found. The lower end of the interval accounts for the search for a dip
    along the whole curve, the upper end for dips that noise or too few seeds hide. Huang et al.
    2024, takeaway 5, Fig. 6; model-wise double descent: Nakkiran et al. 2020.
    """

    name = "double_descent"
    Options = DoubleDescentOptions
    drawn_by = "grokbench.report.figures.sizes:against_model_size"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("smoothing", "width")

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        dip = find_dip(data["experiment"], self.options)
        depth, (fall, rise) = dip.depth, dip.depth.legs
        interval = depth.interval(self.confidence)
        critical = depth.critical_values(self.confidence)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="depth of the dip in final accuracy",
            seeds=depth.seeds,
            evidence=dip.evidence + self._unseen(depth, interval.high),
            details={
                "fall": fall,
                "rise": rise,
                "sizes": list(dip.sizes),
                "standard_errors": {
                    "showing": critical.lower_end,
                    "seeming": critical.estimate,
                    "hiding": critical.upper_end,
                },
            },
        )

    def _unseen(self, depth: DipDepth, high: float) -> str:
        """What to add where the upper end rests on runs of which no seed shows one."""
        if depth.estimate > 0:
            return ""
        unseen = depth.unseen(self.confidence)
        if unseen < high:
            return ""
        return (
            f"; a dip of {unseen:.2f} is possible, made by runs too rare for one of "
            f"{depth.seeds} seeds to show them"
        )
