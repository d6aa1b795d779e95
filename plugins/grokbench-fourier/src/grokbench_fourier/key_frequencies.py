"""The number of key frequencies that trained models have."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from grokbench import Detector, Finding, NotEnoughDataError
from grokbench.statistics.intervals import t_interval

VARIABLE = "fourier_key_frequencies"


class KeyFrequencies(Detector):
    """The mean number of key frequencies at the last step.

    For each seed, the mean over the cells of the grid whose runs were trained to the end. The
    interval is Student's t-interval over seeds. The experiment must record the measure `fourier`.
    """

    name = "key_frequencies"
    null = None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        runs = data["experiment"]
        if VARIABLE not in runs:
            raise NotEnoughDataError(
                f'the experiment has no {VARIABLE}; write measures = ["fourier"] in it'
            )
        # A run that was trained to the end has an evaluation at the last step.
        counts = runs[VARIABLE].where(runs["status"] == 1).isel(step=-1)
        cells = [name for name in counts.dims if name != "seed"]
        by_seed = counts.mean(cells).dropna("seed").to_numpy().astype(float)
        interval = t_interval(by_seed, self.confidence)
        seen = counts.to_numpy()
        seen = seen[~np.isnan(seen)].astype(int)
        few, many = int(seen.min()), int(seen.max())
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="key frequencies per model",
            seeds=len(by_seed),
            evidence=f"{len(seen)} runs have {few} to {many} key frequencies",
            details={"by_seed": by_seed.tolist(), "by_run": seen.tolist()},
        )
