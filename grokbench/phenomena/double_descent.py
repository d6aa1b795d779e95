"""Double descent in model size: accuracy that falls and rises again on its way up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.curves import (
    canonical,
    generalization_accuracy,
    of_part,
    settled,
    single_curve,
)
from grokbench.statistics.dip_depth import Dip
from grokbench.statistics.dips import (
    Groups,
)
from grokbench.statistics.intervals import Floats

Metric = Literal["validation_accuracy", "mirror_free_accuracy"]

LEARNED = 0.1
"""Where no model size reaches this mirror-free accuracy, nothing was learned that could dip."""

LONGEST = 6
"""Groups of more neighbouring sizes than this are not tried."""


class DoubleDescentOptions(Options):
    metric: Metric = "validation_accuracy"
    """The paper's figures show plain validation accuracy."""
    smoothing: bool = True
    """Show a dip by groups of neighbouring sizes, too; without, each size stands for itself."""
    width: Annotated[int, Field(ge=1)] = 1
    """How many neighbouring sizes peak, dip and recovery each span; narrower dips do not count."""
    part: str | None = None
    """Which part of the task; the first unless said otherwise."""


def dip(dataset: xr.Dataset, options: DoubleDescentOptions) -> Dip:
    """Measure the dip in an experiment's curve of final accuracy over model size.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field, fewer than three
            model sizes (three times the width) with runs of two seeds, or nothing learned at any.
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
    return measured(accuracy[sizes], labels, options)


def measured(accuracy: Floats, labels: tuple[str, ...], options: DoubleDescentOptions) -> Dip:
    """The dip of accuracies, [sizes, seeds]: at least two seeds a size."""
    # Any group longer than these holds two of them, one of which is as high, or as low.
    narrow = Groups.of(len(accuracy), options.width, 2 * options.width - 1)
    longest = max(LONGEST, 2 * options.width - 1)
    groups = Groups.of(len(accuracy), options.width, longest) if options.smoothing else narrow
    return Dip(np.sort(accuracy, axis=1), labels, groups, narrow)


def wider_than_the_grid(
    options: DoubleDescentOptions, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The warning that goes with few model sizes; `lengths` as `Detector.warning` has them."""
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
    """How deep final accuracy dips on its way up with model size.

    The effect is the smaller of the fall into the dip and the rise out of it, so that both must be
    there; zero or negative where nothing dips. The lower end allows for dips having been looked for
    everywhere, the upper for one hiding anywhere, even in runs of a kind that no seed happens to show.
    Huang et al. 2024, takeaway 5, Fig. 6; model-wise double descent: Nakkiran et al. 2020.
    """

    name = "double_descent"
    Options = DoubleDescentOptions
    drawn_by = "grokbench.report.figures.sizes:against_model_size"
    figure_spans = ("model_size", "data_size")

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seen = dip(data["experiment"], self.options)
        ends, (fall, rise) = seen.ends(self.confidence), seen.legs
        hidden = (
            f"; one of {ends.unseen:.2f} is not excluded, in runs of a kind that so few seeds need not show"
            if ends.depth.estimate <= 0 and ends.unseen >= ends.depth.high
            else ""
        )
        return Finding(
            effect=ends.depth.estimate,
            low=ends.depth.low,
            high=ends.depth.high,
            unit="depth of the dip in final accuracy",
            seeds=seen.seeds,
            evidence=f"{seen.evidence}{hidden}",
            details={
                "fall": fall,
                "rise": rise,
                "sizes": list(seen.sizes),
                "standard_errors": {
                    "showing": ends.showing,
                    "seeming": ends.seeming,
                    "hiding": ends.hiding,
                },
            },
        )
