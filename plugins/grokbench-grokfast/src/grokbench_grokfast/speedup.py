"""How much sooner one experiment generalizes than another: the ratio of their steps."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from grokbench import Detector, Finding, NotEnoughDataError
from grokbench.readout import Dynamic, Thresholds, canonical, classify
from grokbench.statistics.intervals import welch_interval


class GrokkingSpeedup(Detector):
    """The steps that the reference needs to generalize, divided by those of the faster experiment.

    A run has generalized at the step from which its mirror-free accuracy stays at or above
    `generalized_at`. The effect is the ratio of the geometric means over the cells that both
    experiments have. The interval is Welch's interval over seeds, of the logarithm of the steps;
    the cells of a seed are averaged first. Seeds with an unfinished cell are left out.

    A run that does not generalize is censored: it counts as generalized at its last step, which is
    too early. So the end of the interval that a later step would move is open: the upper end (∞)
    if the run belongs to the reference, the lower end (0) if it belongs to the faster experiment.
    """

    name = "grokking_speedup"
    Options = Thresholds
    roles = ("reference", "faster")
    null = 1.0

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        runs = {role: generalization(data[role], self.options) for role in self.roles}
        reference, faster = common_cells(runs["reference"], runs["faster"])
        times = [np.log(one["steps"]).mean("cell").to_numpy() for one in (reference, faster)]
        ratio = welch_interval(times[0], times[1], self.confidence)
        never = [int(one["never"].sum()) for one in (reference, faster)]
        medians = [float(one["steps"].median()) for one in (reference, faster)]
        counts = [one["steps"].size for one in (reference, faster)]
        return Finding(
            effect=float(np.exp(ratio.estimate)),
            low=0.0 if never[1] else float(np.exp(ratio.low)),
            high=np.inf if never[0] else float(np.exp(ratio.high)),
            unit="ratio of the steps to generalize, reference over faster experiment",
            seeds=min(len(times[0]), len(times[1])),
            evidence=f"{counts[0] - never[0]} of {counts[0]} runs of the reference generalize, at "
            f"step {medians[0]:.0f} in the median; {counts[1] - never[1]} of {counts[1]} of the "
            f"faster experiment, at step {medians[1]:.0f}",
            details={"median_steps": medians, "runs": counts, "never_generalized": never},
        )


def generalization(dataset: xr.Dataset, thresholds: Thresholds) -> xr.Dataset:
    """For each run: `steps` until it generalized (or all its steps), and `never`, if it did not.

    `steps` is NaN if the run was not trained to its end, or has no validation examples.
    """
    data = canonical(dataset)
    runs = classify(data, thresholds)
    last = data["step"].where(data["parameter_norm"].notnull()).max("step")
    known = runs["dynamic"] != int(Dynamic.UNKNOWN)
    steps = runs["generalized_step"].fillna(last).clip(min=1).where(known)
    return xr.Dataset({"steps": steps, "never": runs["censored"]})


def common_cells(first: xr.Dataset, second: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Both datasets over `seed` and `cell`: the common cells, and the seeds that finished them all.

    Raises:
        NotEnoughDataError: the experiments have no cell in common, or different dimensions.
    """
    if set(first.dims) != set(second.dims):
        odd = ", ".join(sorted(str(name) for name in set(first.dims) ^ set(second.dims)))
        raise NotEnoughDataError(f"only one of the experiments has {odd}; compare like with like")
    cells = [name for name in first.dims if name != "seed"]
    aligned = xr.align(first, second, join="inner", exclude={"seed"})
    if not all(one["steps"].size for one in aligned):
        raise NotEnoughDataError(
            f"the experiments have no cell in common ({', '.join(str(name) for name in cells)})"
        )
    one, other = (
        runs.stack(cell=cells, create_index=False).dropna("seed", subset=["steps"])
        for runs in aligned
    )
    return one, other
