"""What cohorts will cost on this machine, found by training each kind of them for a moment."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from grokbench.plan import Cohort, shape_of
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.training.cohort import CohortTraining
from grokbench.training.execution import execution_of
from grokbench.training.process import (
    keep_freed_memory,
    one_thread,
    repeat_exactly,
    stream_of_its_own,
)
from grokbench.training.programs import why_not_stacked
from grokbench.training.setup import Setup
from grokbench.training.stack import build_model, evaluation_batch, training_batch

WATCHED_SECONDS = 0.4
"""How long steps are watched, and half as long evaluations."""


@dataclass(frozen=True)
class Cost:
    """Seconds and bytes of one process."""

    start: float
    """Until the first step: examples, initial weights, the probe."""
    step: float
    evaluation: float
    memory: int
    """The most bytes that were held at once; 0 where that cannot be asked."""
    refused: str = ""
    """Why steps are not captured in a CUDA graph, where they might be."""

    def seconds(self, cohort: Cohort) -> float:
        """How long `cohort` takes from its first step to its last."""
        recipe = cohort.runs[0].recipe
        evaluations = len(recipe.evaluation_steps())
        return self.start + self.step * recipe.steps + self.evaluation * evaluations


@dataclass(frozen=True)
class Costs:
    """What was measured: the cost of each cohort by its id, and of starting worker processes."""

    cohorts: dict[str, Cost]
    workers: float


def measure_costs(
    cohorts: Sequence[Cohort], plugins: Plugins, *, jobs: int, device: str = "cpu"
) -> Costs:
    """Measure each shape, data size and number of runs once.

    In as many worker processes at a time as will train: they share caches and memory, and a step
    takes longer beside another than alone.

    Args:
        plugins, jobs, device: as for `train_cohorts`.
    """
    kinds = {kind_of(cohort): cohort for cohort in cohorts}
    work = partial(measure, plugins=plugins, device=device)
    if jobs == 1:
        measured, workers = list(map(work, kinds.values())), 0.0
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, spawn) as pool:
            begun = time.perf_counter()
            list(pool.map(begin, [plugins] * jobs))
            workers = time.perf_counter() - begun
            measured = list(pool.map(work, kinds.values()))
    by_kind = dict(zip(kinds, measured, strict=True))
    return Costs({cohort.id: by_kind[kind_of(cohort)] for cohort in cohorts}, workers)


def kind_of(cohort: Cohort) -> tuple[str, int, int]:
    """Equal for cohorts that cost the same."""
    largest = max(run.data_size for run in cohort.runs)
    return shape_of(cohort.runs[0]), len(cohort.runs), largest


def begin(_: Plugins) -> None:
    """Do nothing: a worker process that is asked for it has started and imported torch."""


def measure(cohort: Cohort, *, plugins: Plugins, device: str) -> Cost:
    """Begin the cohort, and watch some steps and evaluations. One that fails costs nothing.

    Nothing is compiled for it: that takes about as long as it saves.
    """
    keep_freed_memory()
    repeat_exactly(torch.device(device))
    with one_thread(), stream_of_its_own(torch.device(device)):
        try:
            begun = time.perf_counter()
            descent = CohortTraining(cohort.runs, plugins, torch.device(device))
            execution = execution_of(descent)
            execution.advance(1)
            execution.evaluate()
            descent.measure()
            finish(descent.device)
            start = time.perf_counter() - begun
            stride = execution.stride
            step = watched(partial(execution.advance, stride), descent, WATCHED_SECONDS) / stride
            evaluation = watched(execution.evaluate, descent, WATCHED_SECONDS / 2)
            if descent.measuring.measures:
                evaluation += watched(descent.measure, descent, WATCHED_SECONDS / 2)
        except (Exception, SystemExit):  # noqa: BLE001 (a plugin may raise anything)
            return Cost(0.0, 0.0, 0.0, 0)
        return Cost(start, step, evaluation, peak_memory(descent.device), execution.refused)


def watched(act: Callable[[], object], descent: CohortTraining, seconds: float) -> float:
    """Seconds that one of many calls takes, after some that warm caches up."""
    times, taken = 1, 0.0
    while taken < seconds / 2:
        times *= 2
        begun = time.perf_counter()
        for _ in range(times):
            act()
        finish(descent.device)
        taken = time.perf_counter() - begun
    return taken / times


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held so far on the device; 0 where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def why_single(cohort: Cohort, plugins: Plugins) -> str:
    """Why the cohort's runs will be trained one after the other; empty when they are stacked.

    A run that cannot be made has no reason of its own: training will record its error.
    """
    runs = cohort.runs[:3]
    try:
        made = Setup.of(runs[0], plugins)
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
