"""The training loop."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch

from grokbench.errors import PluginFailure
from grokbench.plugins import Plugins, end_if_forked, guard, no_child_goes_on
from grokbench.record import Record, Run, Status, failed
from grokbench.switches import SWITCHES, Switch
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining, State
from grokbench.training.device import (
    BUILD_LOCK,
    check_still_there,
    one_thread,
    repeat_exactly,
    stream_of_its_own,
)
from grokbench.training.execution import execution_of
from grokbench.training.memory import keep_freed_memory, out_of_memory
from grokbench.training.precision import float32_products

OnEvaluation = Callable[[int, float], None]
"""Called at every evaluation with the step and the stack's mean validation accuracy."""

OnLack = Callable[[Run, str], None]
"""Called with a run for which alone memory is too small, and with the error."""


def train_to_end(
    training: CohortTraining, on_evaluation: OnEvaluation, safekeeping: Safekeeping
) -> bool:
    """Train to the last step, or until most runs have diverged; False when told to stop before.

    A child that a plugin forked in a step keeps no checkpoint and reports nothing: it ends here.
    """
    process = os.getpid()
    execution, meter = execution_of(training), training.meter
    for step in training.recipe.evaluation_steps()[len(meter.steps) :]:
        while training.taken < step:
            execution.advance(min(step - training.taken, execution.stride))
            end_if_forked(process)
            if safekeeping.stops(training):
                return False
        meter.add(step, execution.evaluate(), training.measure())
        end_if_forked(process)
        on_evaluation(step, meter.validation_accuracy)
        if 2 * int(meter.finite.sum()) <= len(training.parameters):
            break
    return True


def train(
    runs: Sequence[Run],
    plugins: Plugins,
    device: str = "cpu",
    on_evaluation: OnEvaluation = lambda step, accuracy: None,
    safekeeping: Safekeeping | None = None,
    on_lack: OnLack = lambda run, message: None,
    switches: Mapping[str, Switch] = SWITCHES,
) -> list[Record]:
    """Train `runs` at once; in halves if memory is too small; one by one after any other error.

    A run whose task, architecture, optimizer or measure raises an error is recorded as failed, with
    the error, and the other runs are trained. An error that `on_evaluation` raises is raised.

    Args:
        switches: the global state that is put back afterwards, so that a plugin changes nothing for
            the cohorts that this process trains later.

    Returns:
        A record for each run, or fewer when `safekeeping` said to stop. The other runs continue
        from their checkpoint when they are trained again. A run for which alone memory is too small
        has no record either: another machine may have the memory.

    Raises:
        DeviceError: a GPU does nothing more for this process; these runs get no record.
    """
    keep_freed_memory()
    repeat_exactly(torch.device(device))
    safekeeping = safekeeping or Safekeeping()
    listener = Listener(on_evaluation)
    with one_thread(), stream_of_its_own(torch.device(device)):
        try:
            # What is printed stays where it is: the caller may print in `on_evaluation`.
            with guard("training", switches=switches, aside=False):
                return train_at_once(runs, plugins, torch.device(device), listener, safekeeping)
        except PluginFailure as failure:
            if listener.error is not None:
                raise listener.error from None
            check_still_there(torch.device(device))
            if len(runs) == 1 and out_of_memory(failure.error):
                on_lack(runs[0], failure.told)
                return []
            if len(runs) == 1:
                return [failed(runs[0], failure.told)]
            shares = 2 if out_of_memory(failure.error) else len(runs)
    gc.collect()  # frees the memory of the stack that failed, which is a cycle once compiled
    cuts = [len(runs) * i // shares for i in range(shares + 1)]
    records: list[Record] = []
    lacking: list[Run] = []

    def lacks(run: Run, message: str) -> None:
        lacking.append(run)
        on_lack(run, message)

    for first, end in pairwise(cuts):
        if safekeeping.should_stop():
            break
        records += train(
            runs[first:end], plugins, device, on_evaluation, safekeeping, lacks, switches
        )
    if len(records) + len(lacking) < len(runs):
        # Failed runs are left out: they fail again beside the rest, which is then trained one by
        # one as now. Alone, the rest would be stacked, with other bits.
        return [record for record in records if record.status is not Status.FAILED]
    return records


def train_at_once(
    runs: Sequence[Run],
    plugins: Plugins,
    device: torch.device,
    on_evaluation: OnEvaluation,
    safekeeping: Safekeeping,
) -> list[Record]:
    """A record for each run that ended: all runs, or fewer when told to stop.

    When half of the runs or more have diverged, those runs leave, and the others continue alone.
    """
    order = {run.id: i for i, run in enumerate(runs)}
    ended: list[Record] = []
    former: State | None = None
    while runs:
        with BUILD_LOCK, no_child_goes_on():
            training = safekeeping.begin(
                runs, partial(CohortTraining, runs, plugins, device), former
            )
        if training is None:
            break
        with float32_products(runs[0].recipe.precision):
            if not train_to_end(training, on_evaluation, safekeeping):
                break
        records = training.meter.records(runs, training.layout.count)
        finite = training.meter.finite.tolist()
        staying = [i for i, alive in enumerate(finite) if alive and not training.ended]
        ended += [record for i, record in enumerate(records) if i not in staying]
        runs, former = [runs[i] for i in staying], training.state_of(staying)
        del training  # frees its memory before the next stack is made
    return sorted(ended, key=lambda record: order[record.run_id])


@dataclass
class Listener:
    """Calls `on_evaluation` and remembers what it raised: an error of the caller, not of a run."""

    on_evaluation: OnEvaluation
    error: BaseException | None = None

    def __call__(self, step: int, validation_accuracy: float) -> None:
        try:
            self.on_evaluation(step, validation_accuracy)
        except BaseException as error:
            self.error = error
            raise
