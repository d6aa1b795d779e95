"""What cohorts will cost on this machine, found by training each kind of them for a moment."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn

from grokbench.plan import Cohort, shape_of
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.training.definitions import Definitions
from grokbench.training.loop import train
from grokbench.training.programs import why_not_stacked
from grokbench.training.stack import build_model, evaluation_batch, training_batch

SHORT, LONG = 2, 12
"""Steps of the two trial trainings: their difference is the cost of a step, the rest start-up."""


@dataclass(frozen=True)
class Cost:
    """Seconds of one process."""

    start: float
    """Until the first step: examples, initial weights, the probe, the first evaluation."""
    step: float
    evaluation: float

    def seconds(self, cohort: Cohort, done: int = 0) -> float:
        """How long `cohort` takes from step `done` on."""
        recipe = cohort.runs[0].recipe
        left = sum(1 for step in recipe.evaluation_steps() if step >= done)
        return self.start + self.step * (recipe.steps - done) + self.evaluation * left


def why_single(cohort: Cohort, plugins: Plugins) -> str:
    """Why the cohort's runs will be trained one after the other; empty when they are stacked.

    A run that cannot be made has no reason of its own: training will record its error.
    """
    runs = cohort.runs[:3]
    try:
        made = Definitions.of(runs[0], plugins)
        models = [build_model(run, made.architecture, made.task) for run in runs]
        examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
        like = nn.utils.parameters_to_vector(models[0].parameters()).detach()
        train, evaluation = training_batch(examples, like), evaluation_batch(examples, like)
        judgement = made.task.judgement
        own = made.architecture.program(models[0], judgement, train, evaluation)
        alone = own is not None or len(runs) == 1
        return "" if alone else why_not_stacked(models, made.architecture, judgement, train)
    except Exception:  # noqa: BLE001 (a plugin may raise anything)
        return ""


def measure_costs(
    cohorts: Iterable[Cohort], plugins: Plugins, device: str = "cpu"
) -> dict[str, Cost]:
    """The cost of each cohort by its id, measured once for each shape, size and number of runs."""
    measured: dict[tuple[str, int, int], Cost] = {}
    costs = {}
    for cohort in cohorts:
        largest = max(run.data_size for run in cohort.runs)
        kind = (shape_of(cohort.runs[0]), len(cohort.runs), largest)
        if kind not in measured:
            measured[kind] = measure(cohort, plugins, device)
        costs[cohort.id] = measured[kind]
    return costs


def measure(cohort: Cohort, plugins: Plugins, device: str) -> Cost:
    """Three short trainings: few steps, more steps, and as many again with evaluations between."""
    few = trial(cohort, plugins, device, steps=SHORT, evaluate_every=LONG + 1)
    more = trial(cohort, plugins, device, steps=LONG, evaluate_every=LONG + 1)
    often = trial(cohort, plugins, device, steps=LONG, evaluate_every=1)
    extra = LONG + 1 - evaluations(cohort, LONG, LONG + 1)
    evaluation = max(0.0, (often - more) / extra)
    added = evaluations(cohort, LONG, LONG + 1) - evaluations(cohort, SHORT, LONG + 1)
    step = max(0.0, (more - few - added * evaluation) / (LONG - SHORT))
    start = few - SHORT * step - evaluations(cohort, SHORT, LONG + 1) * evaluation
    return Cost(max(0.0, start), step, evaluation)


def evaluations(cohort: Cohort, steps: int, every: int) -> int:
    recipe = replace(cohort.runs[0].recipe, steps=steps, evaluate_every=every)
    return len(recipe.evaluation_steps())


def trial(
    cohort: Cohort, plugins: Plugins, device: str, *, steps: int, evaluate_every: int
) -> float:
    """Seconds to train the cohort with another number of steps; its records are thrown away."""
    runs = [
        replace(run, recipe=replace(run.recipe, steps=steps, evaluate_every=evaluate_every))
        for run in cohort.runs
    ]
    start = time.perf_counter()
    train(runs, plugins, device)
    return time.perf_counter() - start
