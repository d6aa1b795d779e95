"""Train every way, and print two tables: what came out, and the p values."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from grokbench.plugins import Plugins
from grokbench.training.memory import keep_freed_memory
from studies.distributions.p_values import SIGNIFICANT, compared, verdict
from studies.distributions.samples import SEEDS, STEPS, Sample, sample
from studies.distributions.ways import WAYS


def outcomes(samples: Mapping[str, Sample]) -> Table:
    table = Table(
        "trained by", "step of train accuracy 0.95", "step of validation accuracy 0.9",
        "final validation accuracy", "final norm", "generalize", box=box.MARKDOWN,
    )  # fmt: skip
    for way, one in samples.items():
        table.add_row(
            way,
            quartiles(one.fitted, 0),
            quartiles(one.generalized, 0),
            quartiles(one.accuracy, 2),
            quartiles(one.norm, 2),
            f"{one.generalizing} of {len(one.norm)}",
        )
    return table


def quartiles(values: npt.NDArray[np.float64], digits: int) -> str:
    """Median [quartiles], each of them a value that occurred, so that none averages with infinity."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf")
    return f"{number(median, digits)} [{number(low, digits)}–{number(high, digits)}]"


def number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "never"


def comparisons(samples: Mapping[str, Sample]) -> Table:
    table = Table(
        "against the plain loop", "train accuracy", "validation accuracy", "final accuracy",
        "final norm", "generalize", "the distributions are", box=box.MARKDOWN,
    )  # fmt: skip
    for way, corrected in compared(samples).items():
        table.add_row(way, *(f"{p:.2g}" for p in corrected.values()), verdict(corrected))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studies.distributions", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    keep_freed_memory()
    console, plugins = Console(width=240), Plugins.load()
    console.print(
        f"One thread, torch {torch.__version__}; medians [quartiles] over seeds\n", markup=False
    )
    samples = {
        name: sample(way, plugins, arguments.seeds, arguments.steps)
        for name, way in track(WAYS.items(), "Training", console=Console(stderr=True))
    }
    console.print(outcomes(samples))
    console.print(f"\nCorrected p values; below {SIGNIFICANT} the distributions are told apart:")
    console.print(comparisons(samples))


if __name__ == "__main__":
    main()
