"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch

from grokbench.plugins import Plugins
from grokbench.record import Record, Run, failed
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.descent import Descent
from grokbench.training.execution import execution_of
from grokbench.training.precision import float32_products
from grokbench.training.process import keep_freed_memory, one_thread, out_of_memory, repeat_exactly
from grokbench.training.programs import first_line

Advance = Callable[[int, float], None]
"""Told the step and the stack's mean validation accuracy at every evaluation."""


def descend(descent: Descent, advance: Advance, safekeeping: Safekeeping) -> bool:
    """Train to the last step; False when told to stop before."""
    execution, meter = execution_of(descent), descent.meter
    for step in descent.recipe.evaluation_steps()[len(meter.steps) :]:
        while descent.taken < step:
            execution.advance(min(step - descent.taken, execution.stride))
            if safekeeping.stops(descent):
                return False
        meter.add(step, execution.evaluate())
        advance(step, meter.validation_accuracy)
        if not meter.finite.any():
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
    error; the others are not touched by it. Fewer records than runs come back when `safekeeping`
    said to stop; the rest goes on from its checkpoint when it is trained again.
    """
    keep_freed_memory()
    repeat_exactly(torch.device(device))
    safekeeping = safekeeping or Safekeeping()
    with one_thread():
        try:
            make = partial(Descent, runs, plugins, torch.device(device))
            descent = safekeeping.begin(runs, make)
            with float32_products("tf32" if runs[0].recipe.precision == "tf32" else "ieee"):
                if not descend(descent, advance, safekeeping):
                    return []
            return descent.meter.records(runs, descent.parameters.shape[1])
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything)
            if len(runs) == 1:
                return [failed(runs[0], first_line(error))]
            shares = 2 if out_of_memory(error) else len(runs)
    cuts = [len(runs) * i // shares for i in range(shares + 1)]
    records = []
    for first, end in pairwise(cuts):
        if safekeeping.told():
            break
        records += train(runs[first:end], plugins, device, advance, safekeeping)
    return records
