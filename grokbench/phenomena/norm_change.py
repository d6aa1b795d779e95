"""By how much the parameter norm changes while a run generalizes.

*Estimated*: the relative change of the L2 norm of all parameters during the transition to
generalization in grokking or in progression. -0.2 is a fall by a fifth.

*Method*: `transitions` finds the step at which each run's transition starts, and the step at which
it ends. The logarithms of the norm's ratio are averaged over each seed's runs, and then over seeds
(a geometric mean). The interval is Student's t over the seeds' logarithms. With `by_size = true`, runs
are trials of their own: the logarithms are averaged over the runs of each model size, and then over model
sizes with equal weights (`grokbench.statistics.stratified`).

*Source*: Huang et al. 2024, § 3 (takeaway 4), appendix A, Fig. 9.

*Assumptions*: Seeds are independent; with `by_size`, runs of one seed too. The change coincides with generalization; the detector does
not show that one causes the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import (
    canonical,
    generalization_accuracy,
    of_part,
    sustained_crossing,
    value_at,
)
from grokbench.readout.dynamics import Dynamic, Share, Thresholds, classify, levels_of
from grokbench.statistics.intervals import Floats, Interval, t_interval
from grokbench.statistics.stratified import stratified_interval


class NormChangeOptions(Thresholds):
    dynamics: Literal["grokking", "progression"] = "grokking"
    """The dynamic whose runs are measured."""
    nearly_final: Share = 0.9
    """The transition in progression ends when accuracy reaches this share of its settled value."""
    by_size: bool = False
    """Whether each run is a trial, and each model size has the same weight; otherwise each seed has."""


def transitions(dataset: xr.Dataset, options: NormChangeOptions) -> xr.Dataset:
    """The transition to generalization of each run that shows `options.dynamics`.

    In grokking, the transition starts when the run has memorized, and ends when it has generalized.
    In progression, it starts at the last evaluation before mirror-free accuracy reaches
    `generalizing_at`, and ends when it reaches nearly its settled value.

    Returns:
        Over the grid: `start` and `end` (steps), and `log_ratio` (natural logarithm of the
        parameter norm at the end over that at the start); NaN for runs with another dynamic.

    Raises:
        NotEnoughDataError: the task does not have the part.
    """
    data = of_part(dataset, options.part)
    runs = classify(data, options.model_copy(update={"part": None}))
    if options.dynamics == "grokking":
        kind, start, end = Dynamic.GROKKING, runs["memorized_step"], runs["generalized_step"]
    else:
        accuracy = generalization_accuracy(data)
        nearly = options.nearly_final * runs["final_accuracy"]
        # A run that ends below generalizing_at / nearly_final must still have left the floor.
        risen = nearly.clip(min=levels_of(dataset, options).generalizing)
        kind, start = Dynamic.PROGRESSION, _before(data, runs["generalizing_step"])
        end = sustained_crossing(data, accuracy, risen, options.sustained)
    shown = (runs["dynamic"] == int(kind)) & (start < end)
    start, end = start.where(shown), end.where(shown)
    norm = data["parameter_norm"]
    ratio = np.log(value_at(data, norm, end) / value_at(data, norm, start))
    return xr.Dataset({"start": start, "end": end, "log_ratio": ratio})


def _before(dataset: xr.Dataset, step: xr.DataArray) -> xr.DataArray:
    """Each run's last evaluation before a step; NaN where there is none."""
    evaluated = dataset["step"].where(dataset["parameter_norm"].notnull())
    return evaluated.where(evaluated < step).max("step")


def _nothing_generalizes(dataset: xr.Dataset, options: NormChangeOptions) -> bool:
    """Whether every cell of the grid has a finished run, and no run generalizes even in part."""
    runs = classify(dataset, options)
    known = runs["final_accuracy"].notnull()
    generalizes = runs["generalizing_step"].notnull() & known
    return bool(known.any("seed").all()) and not bool(generalizes.any())


class NormChange(Detector):
    """By how much the parameter norm changes while a run generalizes.

    The effect is relative: -0.2 is a fall by a fifth.
    Huang et al. 2024, takeaway 4, appendix A, Fig. 9.
    """

    name = "norm_change"
    Options = NormChangeOptions
    null = None
    drawn_by = "grokbench.report.figures.training:training_curves"
    figure_spans = ("model_size", "data_size")
    figure_ignores = ("dynamics", "nearly_final", "by_size")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(self._measured, data["experiment"])
        change = found.change(self.confidence)
        falls = change.estimate < 0
        direction, moved = (
            ("falls", found.fallen) if falls else ("rises", found.runs - found.fallen)
        )
        kind = self.options.dynamics
        return Finding(
            effect=float(np.expm1(change.estimate)),
            low=float(np.expm1(change.low)),
            high=float(np.expm1(change.high)),
            unit=f"relative change of the parameter norm during {kind}",
            seeds=found.seeds,
            evidence=(
                f"the norm {direction} in {moved} of the {found.runs} runs that show {kind}"
                f"{found.words(falls=falls)}"
            ),
            details=found.details,
        )

    def _measured(self, dataset: xr.Dataset) -> _Measured:
        ordered = canonical(dataset)
        shifts = transitions(ordered, self.options)
        ratio = shifts["log_ratio"]
        runs, fallen = int(ratio.notnull().sum()), int((ratio < 0).sum())
        details = {
            "runs": runs,
            "fallen": fallen,
            "median_start": float(shifts["start"].median()),
            "median_end": float(shifts["end"].median()),
        }
        if self.options.by_size:
            sizes = _of_sizes(ratio)
            kept = [size for size in sizes if len(size.changes) >= 2]
            self._check_sizes(ordered, kept, runs)
            shown = ratio.sel(model_size=[size.label for size in kept]).notnull()
            seeds = int(shown.any([name for name in shown.dims if name != "seed"]).sum())
            return _Measured(runs, fallen, seeds, details | _details(sizes), sizes=sizes)
        of_seed = ratio.mean([name for name in ratio.dims if name != "seed"])
        changes = of_seed.dropna("seed").to_numpy()
        self._check_seeds(ordered, len(changes), runs)
        return _Measured(runs, fallen, len(changes), details, of_seed=changes)

    def _check_seeds(self, dataset: xr.Dataset, seeds: int, runs: int) -> None:
        if seeds >= 2:
            return
        words = (
            f"{runs} runs of {seeds} seeds show {self.options.dynamics}; an interval needs 2 seeds"
        )
        self._check_reach(dataset, runs, words)
        raise NotEnoughDataError(words)

    def _check_sizes(self, dataset: xr.Dataset, kept: Sequence[_Size], runs: int) -> None:
        if kept:
            return
        words = (
            f"no model size has two runs that show {self.options.dynamics} ({runs} runs do in all); "
            "an interval needs two runs of one size"
        )
        self._check_reach(dataset, runs, words)
        raise NotEnoughDataError(words)

    def _check_reach(self, dataset: xr.Dataset, runs: int, words: str) -> None:
        if not runs and _nothing_generalizes(dataset, self.options):
            raise OutOfReachError(
                f"{words}; no run of any cell reaches a mirror-free accuracy of "
                f"{levels_of(dataset, self.options).generalizing:g}, so more seeds cannot test the claim: try other "
                "model sizes, more examples or more steps"
            )


@dataclass(frozen=True, eq=False)
class _Size:
    """The runs of a model size that show the dynamic."""

    label: object
    changes: Floats
    """The logarithms of the norm's ratios, [runs]."""

    @property
    def fallen(self) -> int:
        return int((self.changes < 0).sum())

    @property
    def change(self) -> float | None:
        """The mean relative change; None without runs."""
        return float(np.expm1(self.changes.mean())) if len(self.changes) else None


@dataclass(frozen=True, eq=False)
class _Measured:
    """The changes of the norm, of each size's runs or of each seed."""

    runs: int
    """How many show the dynamic."""
    fallen: int
    """In how many of them the norm falls."""
    seeds: int
    """How many the change rests on."""
    details: dict[str, Any]
    sizes: Sequence[_Size] = ()
    """All sizes, with `by_size`."""
    of_seed: Floats | None = None
    """The mean logarithm of each seed, [seeds]; without `by_size`."""

    @property
    def kept(self) -> list[_Size]:
        """The sizes with two runs or more."""
        return [size for size in self.sizes if len(size.changes) >= 2]

    def change(self, confidence: float) -> Interval:
        """The mean logarithm of the norm's ratio."""
        if self.of_seed is not None:
            return t_interval(self.of_seed, confidence)
        return stratified_interval([size.changes for size in self.kept], confidence)

    def words(self, *, falls: bool) -> str:
        """What to add to the evidence about sizes."""
        if self.of_seed is not None:
            return ""
        words = _words(self.kept, falls=falls)
        left_out = [str(size.label) for size in self.sizes if len(size.changes) < 2]
        if left_out:
            words += f"; left out, with fewer than two such runs: size {', '.join(left_out)}"
        return words


def _details(sizes: Sequence[_Size]) -> dict[str, Any]:
    return {
        "model_sizes": [str(size.label) for size in sizes],
        "runs_of_size": [len(size.changes) for size in sizes],
        "fallen_of_size": [size.fallen for size in sizes],
        "change_of_size": [size.change for size in sizes],
    }


def _of_sizes(ratio: xr.DataArray) -> list[_Size]:
    by_size = ratio.transpose("model_size", ...)
    values = by_size.to_numpy().reshape(by_size.sizes["model_size"], -1)
    labels = by_size["model_size"].to_numpy()
    return [_Size(label, row[~np.isnan(row)]) for label, row in zip(labels, values, strict=True)]


def _words(sizes: Sequence[_Size], *, falls: bool) -> str:
    """`; at size 4 in 7 of 7, at size 8 in 5 of 6`: all sizes if they are few, or both ends."""
    named = sizes if len(sizes) <= 4 else (sizes[0], sizes[-1])
    parts = [
        f"at size {size.label} in {size.fallen if falls else len(size.changes) - size.fallen} of "
        f"{len(size.changes)}"
        for size in named
    ]
    return "; " + ", ".join(parts)
