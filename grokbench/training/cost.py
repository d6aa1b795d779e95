"""What cohorts will cost on this machine: each kind of cohort is trained for a moment and timed."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch

from grokbench.errors import PluginFailure
from grokbench.plan import Cohort, shape_of
from grokbench.plugins import Plugins, guard
from grokbench.training.cohort import CohortTraining
from grokbench.training.device import one_thread, repeat_exactly, stream_of_its_own
from grokbench.training.execution import execution_of
from grokbench.training.memory import keep_freed_memory
from grokbench.training.precision import float32_products
from grokbench.training.spawning import main_script_hidden

TIMED_SECONDS = 0.4
"""About how long steps are timed; two calls at least. Evaluations are timed for half as long."""


@dataclass(frozen=True)
class Cost:
    """What one kind of cohort costs in one process.

    Attributes:
        start: seconds to make examples and initial weights, for the trial whether modules can be
            stacked (`training.probe`), and for one step, one evaluation and one round of measures.
        step: seconds of one step of all runs.
        evaluation: seconds of one evaluation of all runs, with measures.
        memory: the most bytes that the process has held at once so far, for this cohort or an
            earlier one; 0 where the system does not tell.
        refused: why a GPU's steps are launched one by one; empty if they are captured, or on a
            device without graphs.
    """

    start: float
    step: float
    evaluation: float
    memory: int
    refused: str = ""

    def seconds(self, cohort: Cohort) -> float:
        """How long `cohort` takes: its start, its steps and its evaluations."""
        recipe = cohort.runs[0].recipe
        evaluations = len(recipe.evaluation_steps())
        return self.start + self.step * recipe.steps + self.evaluation * evaluations


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        cohorts: the cost of each cohort, by its id.
        workers: seconds until worker processes have started and have done `begin` once for each of
            them. A fast process may do it twice, before a slow one has started.
    """

    cohorts: dict[str, Cost]
    workers: float


def measure_costs(
    cohorts: Sequence[Cohort], plugins: Plugins, *, jobs: int, device: str = "cpu"
) -> Costs:
    """Measure each shape, data size and number of runs once.

    Up to `jobs` worker processes measure at a time, as they train later: processes share caches and
    memory, so that a step takes longer beside another process than alone.

    Args:
        plugins, jobs, device: as for `train_cohorts`.
    """
    kinds = {kind_of(cohort): cohort for cohort in cohorts}
    work = partial(measure, plugins=plugins, device=device)
    if jobs == 1:
        measured, workers = list(map(work, kinds.values())), 0.0
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, spawn) as pool, main_script_hidden():
            begun = time.perf_counter()
            list(pool.map(begin, [plugins] * jobs))
            workers = time.perf_counter() - begun
            measured = list(pool.map(work, kinds.values()))
    by_kind = dict(zip(kinds, measured, strict=True))
    return Costs({cohort.id: by_kind[kind_of(cohort)] for cohort in cohorts}, workers)


def kind_of(cohort: Cohort) -> tuple[str, int, int]:
    """Equal for cohorts that cost the same.

    The stack is padded to its largest training set, so only that counts.
    """
    largest = max(run.data_size for run in cohort.runs)
    return shape_of(cohort.runs[0]), len(cohort.runs), largest


def begin(_: Plugins) -> None:
    """Do nothing: a process that receives this call imports grokbench and torch."""


def measure(cohort: Cohort, *, plugins: Plugins, device: str) -> Cost:
    """Begin the cohort, and time some steps and evaluations.

    A cohort that fails gets the cost 0 here, which is too low: training tries its runs one by one.
    The program is not compiled here. Near the threshold (`training.compiling`) compiling saves about
    as much time as it takes; for longer cohorts the forecast is too high.
    """
    keep_freed_memory()
    repeat_exactly(torch.device(device))
    precision = cohort.runs[0].recipe.precision
    with one_thread(), stream_of_its_own(torch.device(device)), float32_products(precision):
        try:
            with guard("training"):
                begun = time.perf_counter()
                training = CohortTraining(cohort.runs, plugins, torch.device(device))
                execution = execution_of(training)
                execution.advance(1)
                execution.evaluate()
                training.measure()
                finish(training.device)
                start = time.perf_counter() - begun
                stride = execution.stride
                step = (
                    timed(partial(execution.advance, stride), training.device, TIMED_SECONDS)
                    / stride
                )
                evaluation = timed(execution.evaluate, training.device, TIMED_SECONDS / 2)
                if training.measuring.measures:
                    evaluation += timed(training.measure, training.device, TIMED_SECONDS / 2)
            return Cost(start, step, evaluation, peak_memory(training.device), execution.refused)
        except PluginFailure:
            return Cost(0.0, 0.0, 0.0, 0)


def timed(act: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of one call.

    The number of calls doubles until one round takes half of `seconds`. That round alone counts; the
    calls before it warm up caches.
    """
    times, taken = 1, 0.0
    while taken < seconds / 2:
        times *= 2
        begun = time.perf_counter()
        for _ in range(times):
            act()
        finish(device)
        taken = time.perf_counter() - begun
    return taken / times


def finish(device: torch.device) -> None:
    """Wait until a CUDA device has done all work that was started; other devices are not waited for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held on the device; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, else KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
