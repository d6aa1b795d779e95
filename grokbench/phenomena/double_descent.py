"""Double descent in model size: accuracy that rises, falls and rises again as models grow.

Estimated is the depth of the deepest dip of mean final accuracy along model size: the smaller of
the fall into the dip and the rise out of it. A dip consists of three groups of neighbouring sizes,
since neighbours together show a shallow dip that single sizes do not. The estimate and both ends of
the interval invert tests of how deep the dip is (`grokbench.statistics.dip_depth`, with all
assumptions).

With the option `places` the sizes of peak, bottom and recovery are declared, and nothing is searched
for. The effect is then the smaller of the fall from peak to bottom and the rise from bottom to recovery
(`grokbench.statistics.dip_at_places`, with all assumptions).

Source: Huang et al. 2024 (arXiv:2402.15175), takeaway 5, Fig. 6; model-wise double descent was
described by Nakkiran et al. 2020.

Assumptions: one data size; all runs are independent, also runs of one seed at different sizes.
Nothing is assumed about the form of the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.places import Places
from grokbench.readout import canonical, generalization_accuracy, of_part, settled, single_curve
from grokbench.statistics.dip_at_places import DipAtPlaces
from grokbench.statistics.dip_depth import DipDepth
from grokbench.statistics.intervals import Floats

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
    cautious: bool = False
    """The lower end allows for sizes that vary as much as the noisiest size, and for runs that no seed
    shows. With fewer than eight seeds it does so above a confidence of 95 %, whatever is written here.
    Write true in a new claim without `places`; the default is that of older suites."""
    part: str | None = None
    """Which part of the task; the first by default."""
    places: Places | None = None
    """The model sizes of peak, bottom and recovery; without them a dip is searched for."""

    @model_validator(mode="after")
    def _places_or_a_search(self) -> Self:
        searching = {"smoothing", "width", "cautious"} & self.model_fields_set
        changed = (self.width, self.smoothing, self.cautious) != (1, True, False)
        if self.places is not None and changed:
            named = " and ".join(f"`{name}`" for name in sorted(searching))
            raise ValueError(f"{named} says how to search for a dip; with `places`, leave it out")
        return self


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
    data, accuracy = _final_accuracies(dataset, options)
    sizes = (~np.isnan(accuracy)).sum(axis=1) >= 2
    if sizes.sum() < 3 * options.width:
        wide = f" ({3 * options.width} sizes for a width of {options.width})"
        raise NotEnoughDataError(
            "a dip needs three model sizes with finished runs of two seeds"
            f"{wide if options.width > 1 else ''}; there are {sizes.sum()}"
        )
    _check_learned(data)
    labels = tuple(str(label) for label in data["model_size"].to_numpy()[sizes])
    depth = DipDepth.of(accuracy[sizes], options.width, options.smoothing, options.cautious)
    return Dip(depth, labels)


@dataclass(frozen=True)
class DeclaredDip:
    """The dip at declared places, in words."""

    dip: DipAtPlaces
    places: Places

    @property
    def evidence(self) -> str:
        fall, rise = self.dip.legs
        where = {place: _series(sizes) for place, sizes in self.places.names.items()}
        return (
            f"mean accuracy {_moves(-fall)} from the peak ({where['peak']}) to the bottom "
            f"({where['bottom']}) and {_moves(rise)} to the recovery ({where['recovery']})"
        )


def dip_at_places(dataset: xr.Dataset, options: DoubleDescentOptions) -> DeclaredDip:
    """Measure the dip of an experiment's mean final accuracy at `options.places`.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field; a size that the data lack,
            or that has no finished run; places that are not in the order of the sizes.
        OutOfReachError: no run at any place learned anything.
    """
    assert options.places is not None
    data, accuracy = _final_accuracies(dataset, options)
    rows = options.places.rows(data)
    empty = [
        size
        for place, sizes in options.places.names.items()
        for size, row in zip(sizes, rows[place], strict=True)
        if np.isnan(accuracy[row]).all()
    ]
    if empty:
        raise NotEnoughDataError(
            f"`places` names model size {', '.join(empty)}, which has no finished run"
        )
    _check_learned(data.isel(model_size=[row for place in rows.values() for row in place]))
    return DeclaredDip(
        DipAtPlaces(**{place: accuracy[index] for place, index in rows.items()}), options.places
    )


def _final_accuracies(
    dataset: xr.Dataset, options: DoubleDescentOptions
) -> tuple[xr.Dataset, Floats]:
    """The experiment's only curve, and its final accuracies, [sizes, seeds], NaN: no run."""
    data = single_curve(of_part(canonical(dataset), options.part), "model_size", "seed")
    return data, settled(data, options.metric).transpose("model_size", "seed").to_numpy()


def _check_learned(data: xr.Dataset) -> None:
    final = settled(data, generalization_accuracy(data))
    learned = final.mean("seed").max().item()
    if learned >= LEARNED:
        return
    nothing = (
        f"nothing was learned that could dip: mean mirror-free accuracy is {learned:.2f} at the "
        "most, at any model size"
    )
    if final.max().item() >= LEARNED:
        raise NotEnoughDataError(nothing)
    raise OutOfReachError(
        f"{nothing}, and no run reaches {LEARNED:g}; train larger models, on more data or for more "
        "steps"
    )


def _series(sizes: tuple[str, ...]) -> str:
    """`size 24`, or `sizes 24, 28 and 32`."""
    if len(sizes) == 1:
        return f"size {sizes[0]}"
    return f"sizes {', '.join(sizes[:-1])} and {sizes[-1]}"


def _moves(change: float) -> str:
    return f"{'rises' if change >= 0 else 'falls'} by {abs(change):.2f}"


def _listed(places: Places) -> dict[str, Any]:
    return {place: list(sizes) for place, sizes in places.names.items()}


def wider_than_the_grid(
    options: DoubleDescentOptions, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The warning for a grid with too few model sizes; `lengths` as in `Detector.warning`."""
    sizes, needed = min(length["model_size"] for length in lengths.values()), 3 * options.width
    if options.places is not None:
        named = len(options.places.sizes)
        if sizes >= named:
            return None
        return (
            f"`places` names {named} model sizes, and the grid has {sizes}; select or train the "
            "others, or name fewer"
        )
    if sizes >= needed:
        return None
    if options.width == 1:
        return f"a dip takes 3 model sizes, and the grid has {sizes}; select or train more"
    return (
        f"a dip {options.width} sizes wide takes {needed} model sizes, and the grid has {sizes}; "
        "write a smaller width, or none"
    )


class DoubleDescent(Detector):
    """Depth of the dip of final accuracy along model size.

    The effect is the smaller of the fall into the dip and the rise out of it, and is zero or
    negative where no dip was found. The lower end of the interval accounts for the search for a dip
    along the whole curve, the upper end for dips that noise or too few seeds hide. With `places`
    nothing is searched for: the dip is measured at the declared sizes. Huang et al. 2024, takeaway 5, Fig. 6; model-wise double descent: Nakkiran et al. 2020.
    """

    name = "double_descent"
    Options = DoubleDescentOptions
    drawn_by = "grokbench.report.figures.sizes:against_model_size"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("smoothing", "width", "cautious")

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        if self.options.places is not None:
            return self._find_at_places(self.once(dip_at_places, data["experiment"], self.options))
        dip = self.once(find_dip, data["experiment"], self.options)
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

    def _find_at_places(self, declared: DeclaredDip) -> Finding:
        interval = declared.dip.depths.interval(self.confidence)
        fall, rise = declared.dip.legs
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="depth of the dip in final accuracy, at the declared sizes",
            seeds=declared.dip.seeds,
            evidence=declared.evidence,
            details={"fall": fall, "rise": rise, "places": _listed(declared.places)},
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
