"""grokbench's own trainer: a `CohortTraining` and the execution that is chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, bmm_flop

from benchmarks.timing import synchronize
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.training import Setup
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.device import stream_of_its_own
from grokbench.training.execution import execution_of


class Trainer:
    """Does what `grokbench.training.loop` does between two evaluations."""

    def __init__(
        self, runs: Sequence[Run], device: str = "cpu", plugins: Plugins | None = None
    ) -> None:
        plugins = plugins or Plugins.load()
        self.first, self.task = runs[0], Setup.of(runs[0], plugins).task
        self.runs, self.device = len(runs), device
        where = torch.device(device)
        self.stream = ExitStack()
        self.stream.enter_context(stream_of_its_own(where))
        cohort = Safekeeping().begin(runs, partial(CohortTraining, runs, plugins, where))
        assert cohort is not None
        self.cohort = cohort
        self.execution = execution_of(self.cohort)

    def advance(self, steps: int) -> None:
        while steps > 0:
            taken = min(steps, self.execution.stride)
            self.execution.advance(taken)
            steps -= taken
        synchronize(self.device)

    def step(self) -> None:
        """One step of the cohort itself, without the execution."""
        self.cohort.step()

    def evaluate(self) -> None:
        self.execution.evaluate()

    def loss(self) -> float:
        one = self.task.examples(self.first.data_size, Streams(self.first.seed))
        outputs = self.cohort.program.outputs(self.cohort.by_name)[0].cpu()[one.train]
        return float(functional.cross_entropy(outputs.double(), one.labels[one.train]))

    def operations(self) -> int:
        """Floating-point operations of all matrix products of one gradient, counted while it runs."""
        cohort = self.cohort
        in_place = {torch.ops.aten.baddbmm_: baddbmm_operations}
        with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
            cohort.program.gradient(cohort.by_name, cohort.gradients_by_name)
        return int(counter.get_total_flops())


def baddbmm_operations(_: torch.Size, left: torch.Size, right: torch.Size, **__: object) -> int:
    """Operations of `baddbmm_`, which torch's counter does not know. The arguments are shapes."""
    return int(bmm_flop(left, right))
