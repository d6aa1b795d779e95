"""How many times sooner one experiment generalizes than another."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from grokbench import Detector, Finding, NotEnoughDataError
from grokbench.readout.curves import canonical
from grokbench.readout.dynamics import Dynamic, Thresholds, classify
from grokbench.statistics.intervals import welch_interval


class GrokkingSpeedup(Detector):
    """How many times as many steps the reference needs to generalize as the faster experiment.

    A run has generalized at the step from which its mirror-free accuracy stays at `generalized_at`.
    The effect is the ratio of geometric means over the cells that both experiments have; the
    interval is Welch's over seeds, of logarithms, each seed's cells averaged first. Seeds with a
    cell that is not done are left out.

    A run that never generalizes counts as if it had at its last step, and that end of the interval
    which this could have moved is then open: infinity if it is the reference's, zero if it is the
    faster experiment's.
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
            unit="times as many steps to generalize without as with it",
            seeds=min(len(times[0]), len(times[1])),
            evidence=f"{counts[0] - never[0]} of {counts[0]} runs of the reference generalize, at "
            f"step {medians[0]:.0f} in the median; {counts[1] - never[1]} of {counts[1]} of the "
            f"faster experiment, at step {medians[1]:.0f}",
            details={"median_steps": medians, "runs": counts, "never_generalized": never},
        )


def generalization(dataset: xr.Dataset, thresholds: Thresholds) -> xr.Dataset:
    """Over the grid: `steps` until a run generalized, or all it took; `never`, if it did not.

    NaN steps where a run was not trained to its end or has nothing to validate on.
    """
    data = canonical(dataset)
    runs = classify(data, thresholds)
    last = data["step"].where(data["parameter_norm"].notnull()).max("step")
    known = runs["dynamic"] != int(Dynamic.UNKNOWN)
    steps = runs["generalized_step"].fillna(last).clip(min=1).where(known)
    return xr.Dataset({"steps": steps, "never": runs["censored"]})


def common_cells(first: xr.Dataset, second: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Both over `seed` and `cell`: the cells of both, and the seeds that are done in all of them.

    Raises:
        NotEnoughDataError: they have no cell in common, or one has a dimension of its own.
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
