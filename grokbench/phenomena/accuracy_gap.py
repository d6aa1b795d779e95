"""How much more accurate one experiment is than another, at the same model sizes.

*Estimated*: mean final mirror-free accuracy in the experiment `reference` minus that in the experiment
`shifted`, averaged over the model sizes that both have, each with equal weight. 0.8 means that
of 100 examples the reference has 80 more right.

*Method*: the interval of a difference of two means of bounded values
(`grokbench.statistics.bounded_means`, with all assumptions). It assumes nothing about the distribution of
runs: they may all agree, or generalize fully or not at all.

*Source*: Huang et al. 2024, § 5, takeaways 7 and 8, Fig. 8 and 10. The paper compares the sizes at
which the ability emerges (`emergence`). This detector compares abilities at the same size, which is
known long before the size of emergence is.

*Assumptions*: all runs are independent, also runs of one seed at different sizes. The sizes are chosen
before any run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.labels import text_of
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import canonical, generalization_accuracy, of_part, settled, single_curve
from grokbench.statistics.bounded_means import BoundedMean, difference_interval
from grokbench.statistics.intervals import Floats

LEARNED = 0.1
"""If the mean accuracy of both experiments is below this at every size, nothing was learned that could
differ. Below the same level `dynamics` says that a run has not generalized."""


class AccuracyGapOptions(Options):
    reference_part: str | None = None
    """A part of the reference's task, by default the first."""
    shifted_part: str | None = None
    """A part of the shifted experiment's task, by default the first."""


class AccuracyGap(Detector):
    """Final mirror-free accuracy of the reference minus that of shifted, at the same model sizes.

    Huang et al. 2024, takeaways 7 and 8, Fig. 8 and 10.
    """

    name = "accuracy_gap"
    Options = AccuracyGapOptions
    roles = ("reference", "shifted")
    drawn_by = "grokbench.report.figures.emergence:accuracy_gap"

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(_compared, data["reference"], data["shifted"], self.options)
        sizes, means = found.sizes, found.means
        most = max(max(values) for values in means.values())
        if most < LEARNED:
            raise OutOfReachError(
                f"neither experiment learned anything: mean mirror-free accuracy is {most:.2f} at most, "
                f"at size {_listed(sizes)}; more seeds cannot test the claim: try larger models, or "
                "train for more steps"
            )
        interval = difference_interval(found.reference, found.shifted, self.confidence)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="difference in final mirror-free accuracy (reference minus shifted)",
            seeds=found.seeds,
            evidence=f"at size {_listed(sizes)} mean accuracy is {_accuracies(means['reference'])} in "
            f"the reference, {_accuracies(means['shifted'])} when shifted",
            details={
                "model_sizes": sizes,
                "reference": means["reference"],
                "shifted": means["shifted"],
                **{f"{role}_parameters": found.parameters[role] for role in self.roles},
            },
        )


@dataclass(frozen=True, eq=False)
class _Compared:
    """The final accuracies of both experiments, at the sizes that both have."""

    sizes: list[str]
    parameters: dict[str, list[int]]
    """Role → numbers of parameters, along the sizes."""
    reference: BoundedMean
    shifted: BoundedMean

    @property
    def means(self) -> dict[str, list[float]]:
        """Role → mean accuracies, along the sizes."""
        return {
            role: np.nanmean(np.sort(one.values, axis=1), axis=1).tolist()
            for role, one in (("reference", self.reference), ("shifted", self.shifted))
        }

    @property
    def seeds(self) -> int:
        """The number of runs of the size with the fewest."""
        return min(int(_runs(one.values).min()) for one in (self.reference, self.shifted))


def _compared(reference: xr.Dataset, shifted: xr.Dataset, options: AccuracyGapOptions) -> _Compared:
    ours, theirs = final_accuracies({"reference": reference, "shifted": shifted}, options)
    sizes = [text_of(label) for label in ours["model_size"].to_numpy().tolist()]
    by_role = {"reference": ours, "shifted": theirs}
    groups = {role: one.transpose("model_size", "seed").to_numpy() for role, one in by_role.items()}
    for role, values in groups.items():
        without = [size for size, number in zip(sizes, _runs(values), strict=True) if not number]
        if without:
            raise NotEnoughDataError(
                f"the experiment {role!r} has no finished run at model size "
                f"{', '.join(without)}: train it, or name other sizes in `where.model_size`"
            )
    return _Compared(
        sizes,
        {role: one["parameters"].to_numpy().astype(int).tolist() for role, one in by_role.items()},
        BoundedMean(groups["reference"]),
        BoundedMean(groups["shifted"]),
    )


def _runs(values: Floats) -> npt.NDArray[np.int64]:
    """How many runs each size has, [sizes]."""
    return np.asarray((~np.isnan(values)).sum(axis=1))


def final_accuracies(
    data: Mapping[str, xr.Dataset], options: AccuracyGapOptions
) -> tuple[xr.DataArray, xr.DataArray]:
    """Final mirror-free accuracies of the reference and of shifted, at the sizes that both have.

    Both are over `model_size`, in the same order, and `seed`; NaN where a run has not finished.

    Raises:
        NotEnoughDataError: no model size in common; more than one data size or value of a swept field;
            or the task does not have the part.
    """
    accuracies = []
    for role, part in (("reference", options.reference_part), ("shifted", options.shifted_part)):
        one = single_curve(of_part(canonical(data[role]), part), "model_size", "seed")
        accuracies.append(settled(one, generalization_accuracy(one)))
    names = [
        [text_of(label) for label in one["model_size"].to_numpy().tolist()] for one in accuracies
    ]
    common = [name for name in names[0] if name in names[1]]
    if not common:
        raise NotEnoughDataError(
            f"the experiments have no model size in common: the reference has {', '.join(names[0])}, "
            f"shifted has {', '.join(names[1])}; train both at the sizes that the claim compares"
        )
    reference, shifted = (
        one.isel(model_size=[own.index(name) for name in common])
        for one, own in zip(accuracies, names, strict=True)
    )
    return reference, shifted


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _accuracies(values: list[float]) -> str:
    return _listed([f"{value:.2f}" for value in values])
