"""What comes out over many seeds, by every way of training: the same distributions?

    python -m studies.distributions [--seeds 30] [--steps 600]

Training is chaotic: after some hundred steps in float32 two exact programs have parted, and runs can
be compared by their distributions alone. The runs are a cell of `suites/quick.toml` (hidden size 16,
650 examples), stopped when about two thirds of the seeds generalize: what shifts the dynamics
shifts that share.

Every way of training is compared with the plain loop: four measures by the two-sample
Kolmogorov-Smirnov test, in which what never happened comes last, and the count of runs that
generalize by Barnard's exact test. All p values are corrected together (Holm 1979, "A simple
sequentially rejective multiple test procedure"). Both tests take samples to be independent, but
here they start from the same weights and examples and are alike for that as well, so false alarms
are rarer than p says. One way starts from other seeds and is independent. The last rows train
something else, and must be told apart: otherwise the comparison says nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import barnard_exact, ks_2samp

from benchmarks.executors import PlainLoop, descent_by
from benchmarks.setting import settle
from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.loop import descend

SEEDS, STEPS = 30, 600
SIGNIFICANT = 0.01
"""A corrected p value below it tells two samples apart."""

Verdict = Literal["not told apart", "told apart"]


@dataclass(frozen=True)
class Way:
    """How runs are trained: by which program (None: the plain loop), and what is changed.

    `expected` is what the comparison with the plain loop must say; None where it may say anything.
    """

    program: str | None
    compiled: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    first_seed: int = 0
    expected: Verdict | None = "not told apart"


def adamw(second: float = 0.98) -> Choice:
    return Choice("adamw", {"betas": (0.9, second)})


PLAIN = "plain loop"
WAYS = {
    PLAIN: Way(None),
    "modules one by one": Way("one by one"),
    "modules stacked": Way("stacked"),
    "factored": Way("factored"),
    "prefix": Way("prefix"),
    "factored, compiled": Way("factored", compiled=True),
    "factored, other seeds": Way("factored", first_seed=1000),
    "prefix, bfloat16": Way("prefix", changes={"precision": "bfloat16"}, expected=None),
    "control: learning rate × 1.5": Way(
        "factored", changes={"learning_rate": 4.5e-3}, expected="told apart"
    ),
    "control: weight decay × 1.5": Way(
        "factored", changes={"weight_decay": 1.5}, expected="told apart"
    ),
    "control: beta₂ = 0.9": Way(
        "factored", changes={"optimizer": adamw(0.9)}, expected="told apart"
    ),
}


@dataclass(frozen=True, eq=False)
class Sample:
    """What came out, [seeds] each; a step that was not reached is infinite."""

    fitted: npt.NDArray[np.float64]
    """The first step with a training accuracy of 0.95."""
    generalized: npt.NDArray[np.float64]
    """The first step with a validation accuracy of 0.9."""
    accuracy: npt.NDArray[np.float64]
    """Of the validation examples, in the end."""
    norm: npt.NDArray[np.float64]
    """Of all parameters, in the end."""

    @property
    def generalizing(self) -> int:
        return int(np.isfinite(self.generalized).sum())


MEASURES = tuple(measure.name for measure in fields(Sample))


@dataclass(frozen=True, eq=False)
class Curves:
    """One run's accuracies at `steps`, and its final norm."""

    steps: npt.NDArray[np.int64]
    train: npt.NDArray[np.float32]
    validation: npt.NDArray[np.float32]
    norm: float


def small(seed: int, steps: int, changes: Mapping[str, Any]) -> Run:
    recipe: dict[str, Any] = {
        "optimizer": adamw(), "steps": steps, "learning_rate": 3e-3, "evaluate_every": 10, **changes
    }  # fmt: skip
    task = Choice("modular_addition", {"modulus": 31, "split": "ordered"})
    return Run(task, Choice("dense"), ModelSize(16), 650, seed, Recipe(**recipe))


def sample(way: Way, plugins: Plugins, seeds: int = SEEDS, steps: int = STEPS) -> Sample:
    """Train all seeds in this way."""
    runs = [small(way.first_seed + seed, steps, way.changes) for seed in range(seeds)]
    if way.program is None:
        return summary([curves_of_plain_loop(run, plugins) for run in runs])
    descent = descent_by(way.program, runs, plugins, compiled=way.compiled)
    descend(descent, lambda step, accuracy: None, Safekeeping())
    return summary(
        [
            Curves(
                record.steps,
                record.curves["train_accuracy"][:, 0],
                record.curves["validation_accuracy"][:, 0],
                float(record.curves["parameter_norm"][-1]),
            )
            for record in descent.meter.records(runs, descent.parameters.shape[1])
        ]
    )


def curves_of_plain_loop(run: Run, plugins: Plugins) -> Curves:
    loop, found = PlainLoop(run, plugins), []
    steps = run.recipe.evaluation_steps()
    for step in steps:
        while loop.taken < step:
            loop.step()
        found.append(
            [loop.accuracy(which) for which in (loop.examples.train, loop.examples.validation)]
        )
    train, validation = np.array(found, np.float32).T
    norm = float(torch.linalg.vector_norm(loop.parameters))
    return Curves(np.array(steps), train, validation, norm)


def summary(curves: Sequence[Curves]) -> Sample:
    return Sample(
        np.array([first(one.steps, one.train >= 0.95) for one in curves]),
        np.array([first(one.steps, one.validation >= 0.9) for one in curves]),
        np.array([one.validation[-1] for one in curves], np.float64),
        np.array([one.norm for one in curves]),
    )


def first(steps: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_]) -> float:
    """The first step at which it holds."""
    return float(steps[holds.argmax()]) if holds.any() else np.inf


def p_values(one: Sample, other: Sample) -> dict[str, float]:
    """That both were drawn from one distribution: for each measure, and for how many generalize."""
    found = {
        name: float(ks_2samp(getattr(one, name), getattr(other, name), method="asymp").pvalue)
        for name in MEASURES
    }
    counts = np.array([one.generalizing, other.generalizing])
    sizes = np.array([len(one.norm), len(other.norm)])
    found["generalizing"] = float(barnard_exact([counts, sizes - counts]).pvalue)
    return found


def compared(samples: Mapping[str, Sample]) -> dict[str, dict[str, float]]:
    """The p values of every sample against the plain loop's, corrected together."""
    raw = {
        (way, test): p
        for way, one in samples.items()
        if way != PLAIN
        for test, p in p_values(one, samples[PLAIN]).items()
    }
    found: dict[str, dict[str, float]] = {}
    for (way, test), p in zip(raw, holm(list(raw.values())), strict=True):
        found.setdefault(way, {})[test] = p
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected for as many tests as there are: the chance of any false alarm stays below p."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    rising = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    found = np.empty(len(p_values))
    found[order] = np.minimum(rising, 1)
    return [float(p) for p in found]


def verdict(corrected: Mapping[str, float]) -> Verdict:
    return "told apart" if min(corrected.values()) < SIGNIFICANT else "not told apart"


def quartiles(values: npt.NDArray[np.float64], digits: int) -> str:
    """Median [quartiles], each a value that occurred."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf")
    return f"{number(median, digits)} [{number(low, digits)}–{number(high, digits)}]"


def number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "never"


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


def comparisons(samples: Mapping[str, Sample]) -> Table:
    table = Table(
        "against the plain loop", "train accuracy", "validation accuracy", "final accuracy",
        "final norm", "generalize", "the distributions are", box=box.MARKDOWN,
    )  # fmt: skip
    for way, corrected in compared(samples).items():
        table.add_row(way, *(f"{p:.2g}" for p in corrected.values()), verdict(corrected))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    settle(keep_memory=True)
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
