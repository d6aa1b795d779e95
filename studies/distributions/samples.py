"""What 30 seeds give when they are trained in one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from grokbench.plugins import Plugins
from grokbench.record import Record, Run
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.loop import train_to_end
from studies.distributions.plain_loop import PlainLoop
from studies.distributions.programs import cohort_with
from studies.distributions.ways import Way, small

SEEDS, STEPS = 30, 600
"""About two thirds of the seeds generalize within 600 steps. A change of the dynamics therefore
changes that share, in either direction."""

FITTED_AT, GENERALIZED_AT = 0.95, 0.9


@dataclass(frozen=True, eq=False)
class Sample:
    """Four numbers for each seed, [seeds] each. A step that was not reached is infinite."""

    fitted: npt.NDArray[np.float64]
    """The first step with a training accuracy of 0.95."""
    generalized: npt.NDArray[np.float64]
    """The first step with a validation accuracy of 0.9."""
    accuracy: npt.NDArray[np.float64]
    """The final validation accuracy."""
    norm: npt.NDArray[np.float64]
    """The final norm of all parameters."""

    @property
    def generalizing(self) -> int:
        """How many seeds generalized."""
        return int(np.isfinite(self.generalized).sum())


@dataclass(frozen=True, eq=False)
class Curves:
    """One run's accuracies at `steps`, [evaluations] each, and its final parameter norm."""

    steps: npt.NDArray[np.int64]
    train: npt.NDArray[np.float32]
    validation: npt.NDArray[np.float32]
    norm: float

    @classmethod
    def of_record(cls, record: Record) -> Curves:
        return cls(
            record.steps,
            record.curves["train_accuracy"][:, 0],
            record.curves["validation_accuracy"][:, 0],
            float(record.curves["parameter_norm"][-1]),
        )

    @classmethod
    def of_plain_loop(cls, run: Run, plugins: Plugins) -> Curves:
        """Train the run by the plain loop, evaluated when the trainer would evaluate it."""
        loop, found = PlainLoop(run, plugins), []
        steps = run.recipe.evaluation_steps()
        for step in steps:
            while loop.taken < step:
                loop.step()
            examples = loop.examples
            found.append([loop.accuracy(which) for which in (examples.train, examples.validation)])
        train, validation = np.array(found, np.float32).T
        norm = float(torch.linalg.vector_norm(loop.parameters))
        return cls(np.array(steps), train, validation, norm)


def sample(way: Way, plugins: Plugins, seeds: int = SEEDS, steps: int = STEPS) -> Sample:
    """Train all seeds in this way."""
    runs = [small(way.first_seed + seed, steps, way.changes) for seed in range(seeds)]
    if way.program is None:
        return summary([Curves.of_plain_loop(run, plugins) for run in runs])
    cohort = cohort_with(way.program, runs, plugins, compiled=way.compiled)
    train_to_end(cohort, lambda step, accuracy: None, Safekeeping())
    records = cohort.meter.records(runs, cohort.parameters.shape[1])
    return summary([Curves.of_record(record) for record in records])


def summary(curves: Sequence[Curves]) -> Sample:
    return Sample(
        np.array([first(one.steps, one.train >= FITTED_AT) for one in curves]),
        np.array([first(one.steps, one.validation >= GENERALIZED_AT) for one in curves]),
        np.array([one.validation[-1] for one in curves], np.float64),
        np.array([one.norm for one in curves]),
    )


def first(steps: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_]) -> float:
    """The first step at which `holds` is true; infinite if there is none."""
    return float(steps[holds.argmax()]) if holds.any() else np.inf
