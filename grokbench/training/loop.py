"""The training loop."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch

from grokbench.plugins import Plugins, describe
from grokbench.record import Record, Run, Status, failed
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining, State
from grokbench.training.execution import execution_of
from grokbench.training.precision import float32_products
from grokbench.training.process import (
    ALONE,
    check_still_there,
    keep_freed_memory,
    one_thread,
    out_of_memory,
    repeat_exactly,
    stream_of_its_own,
)

Advance = Callable[[int, float], None]
"""Told the step and the stack's mean validation accuracy at every evaluation."""


def descend(descent: CohortTraining, advance: Advance, safekeeping: Safekeeping) -> bool:
    """Train to the last step, or until most runs have diverged; False when told to stop before."""
    execution, meter = execution_of(descent), descent.meter
    for step in descent.recipe.evaluation_steps()[len(meter.steps) :]:
        while descent.taken < step:
            execution.advance(min(step - descent.taken, execution.stride))
            if safekeeping.stops(descent):
                return False
        meter.add(step, execution.evaluate(), descent.measure())
        advance(step, meter.validation_accuracy)
        if 2 * int(meter.finite.sum()) <= len(descent.parameters):
            break
    return True


def train(
    runs: Sequence[Run],
    plugins: Plugins,
    device: str = "cpu",
    advance: Advance = lambda step, accuracy: None,
    safekeeping: Safekeeping | None = None,
) -> list[Record]:
    """Train `runs` at once if that can be; in halves if memory is short; else one by one.

    A run whose task, architecture or optimizer raises an error is recorded as failed, with the
    error; the others are not touched by it. What `advance` raises is raised. Fewer records than
    runs come back when `safekeeping` said to stop; the rest goes on from its checkpoint when it is
    trained again.

    Raises:
        DeviceError: a GPU does nothing more for this process; nothing is recorded of these runs.
    """
    keep_freed_memory()
    repeat_exactly(torch.device(device))
    safekeeping = safekeeping or Safekeeping()
    listener = Listener(advance)
    with one_thread(), stream_of_its_own(torch.device(device)):
        try:
            return train_at_once(runs, plugins, torch.device(device), listener, safekeeping)
        except (Exception, SystemExit) as error:
            if error is listener.error:
                raise
            check_still_there(torch.device(device))
            if len(runs) == 1:
                return [failed(runs[0], describe(error))]
            shares = 2 if out_of_memory(error) else len(runs)
    gc.collect()  # of the stack that failed, nothing is left in memory
    cuts = [len(runs) * i // shares for i in range(shares + 1)]
    records = []
    for first, end in pairwise(cuts):
        if safekeeping.told():
            break
        records += train(runs[first:end], plugins, device, advance, safekeeping)
    if len(records) < len(runs):
        # The rest will be trained one by one, as now, because what failed fails again.
        return [record for record in records if record.status is not Status.FAILED]
    return records


def train_at_once(
    runs: Sequence[Run],
    plugins: Plugins,
    device: torch.device,
    advance: Advance,
    safekeeping: Safekeeping,
) -> list[Record]:
    """A record for each run that ended: all, or fewer when told to stop.

    When half of the runs or more have diverged, they leave, and the others go on without them.
    """
    order = {run.id: i for i, run in enumerate(runs)}
    ended: list[Record] = []
    former: State | None = None
    while runs:
        with ALONE:
            descent = safekeeping.begin(
                runs, partial(CohortTraining, runs, plugins, device), former
            )
        if descent is None:
            break
        with products(runs):
            if not descend(descent, advance, safekeeping):
                break
        records = descent.meter.records(runs, descent.parameters.shape[1])
        finite = descent.meter.finite.tolist()
        staying = [i for i, alive in enumerate(finite) if alive and not descent.ended]
        ended += [record for i, record in enumerate(records) if i not in staying]
        runs, former = [runs[i] for i in staying], descent.state_of(staying)
        del descent  # before there is another
    return sorted(ended, key=lambda record: order[record.run_id])


def products(runs: Sequence[Run]) -> AbstractContextManager[None]:
    """Within it any library multiplies float32 as the runs' precision says."""
    return float32_products("tf32" if runs[0].recipe.precision == "tf32" else "ieee")


@dataclass
class Listener:
    """Passes news on, and remembers an error of whoever hears them: it is not one of a run."""

    advance: Advance
    error: BaseException | None = None

    def __call__(self, step: int, validation_accuracy: float) -> None:
        try:
            self.advance(step, validation_accuracy)
        except BaseException as error:
            self.error = error
            raise
