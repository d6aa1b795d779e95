"""What is measured while a stack trains, and the records it becomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grokbench.architectures.base import Batch
from grokbench.record import Record, Run, Status
from grokbench.schema import METRICS
from grokbench.tasks.base import Examples, Task
from grokbench.training.transfers import Transfers

SETS = ("train", "validation", "mirror_free")
"""The sets of examples that metrics are means over, as `Examples` names them."""


class Meter:
    """Losses and accuracies of every run, part and set of examples, at each evaluation.

    And the quantities that measures read off the models, which may be NaN, at the end of each row.
    """

    def __init__(
        self,
        task: Task,
        examples: Sequence[Examples],
        evaluation: Batch,
        quantities: Sequence[str] = (),
    ) -> None:
        self.task, self.labels, self.quantities = task, evaluation.labels, tuple(quantities)
        self.width = 2 * len(SETS) * len(task.parts) + 1
        parts = range(len(task.parts))
        length = evaluation.weights.shape[1]
        members = torch.zeros(len(examples), length, len(SETS), len(parts), dtype=torch.float64)
        for run, one in enumerate(examples):
            for i, name in enumerate(SETS):
                for part in parts:
                    members[run, : len(one.part), i, part] = getattr(one, name) & (one.part == part)
        self.counts = members.sum(1).to(torch.int64)
        self.shares = (members / members.sum(1, keepdim=True)).flatten(2).nan_to_num_()
        self.shares = self.shares.to(evaluation.weights.device)
        self.steps: list[int] = []
        self.readings = Transfers()

    def judge(self, outputs: Tensor, parameters: Tensor) -> Tensor:
        """One evaluation, on the device: [runs, 2 · sets · parts + 1] float64.

        Losses and accuracies for each set and part, then the norm of all parameters, from
        `outputs` [runs, examples, outputs] and `parameters` [runs, parameters].
        """
        judgement = self.task.judgement
        if outputs.shape != (*self.labels.shape[:2], judgement.outputs):
            raise ValueError(
                f"the architecture gives outputs of shape {list(outputs.shape[1:])}; "
                f"write {[self.labels.shape[1], judgement.outputs]}"
            )
        correct = judgement.correct(outputs, self.labels).double()
        loss = judgement.loss(outputs, self.labels).double()
        both = torch.stack([loss, correct], 1) @ self.shares
        norm = torch.linalg.vector_norm(parameters, dim=1, keepdim=True, dtype=torch.float64)
        return torch.cat([both.flatten(1), norm], 1)

    def add(self, step: int, judged: Tensor, measured: Tensor | None = None) -> None:
        """Keep what `judge` gave after `step` steps, and what measures did: [runs, quantities]."""
        self.steps.append(step)
        if measured is not None:
            judged = torch.cat([judged, measured.to(judged)], 1)
        self.readings.add(judged)

    def state(self) -> dict[str, Any]:
        """What was measured so far, for a checkpoint."""
        return {"steps": list(self.steps), "readings": self.readings.all()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.steps = list(state["steps"])
        self.readings = Transfers(state["readings"])

    @property
    def finite(self) -> Tensor:
        """Which runs were still finite when last heard of: bool [runs]."""
        return self.readings.latest()[:, : self.width].isfinite().all(1)

    @property
    def validation_accuracy(self) -> float:
        """The mean over runs, in the first part; NaN where nothing validates."""
        validation = self._metrics(self.readings.latest())[:, 1, 1, 0]
        return float(validation.mean()) if self.counts[0, 1, 0] else math.nan

    def _metrics(self, readings: Tensor) -> Tensor:
        """[…, values] as `judge` gives them → losses and accuracies […, 2, sets, parts]."""
        values = readings[..., : self.width - 1]
        return values.reshape(*readings.shape[:-1], 2, len(SETS), -1)

    def records(self, runs: Sequence[Run], parameters: int) -> list[Record]:
        """A record for each run; from the step at which a run stopped being finite on, NaN."""
        readings = torch.stack(self.readings.all(), 1)
        metrics, norms = self._metrics(readings), readings[..., self.width - 1]
        measured = readings[..., self.width :]
        metrics.masked_fill_(self.counts[:, None, None] == 0, torch.nan)
        return [
            self._record(run, metrics[i], norms[i], measured[i], self.counts[i], parameters)
            for i, run in enumerate(runs)
        ]

    def _record(
        self,
        run: Run,
        judged: Tensor,
        norms: Tensor,
        measured: Tensor,
        counts: Tensor,
        parameters: int,
    ) -> Record:
        # What is too large for float32 is not finite: records hold float32.
        metrics, norm = judged.float().numpy(), norms.float().numpy()
        quantities = np.ascontiguousarray(measured.float().numpy().T)
        absent = (counts == 0).numpy()
        finite = (np.isfinite(metrics) | absent).all((1, 2, 3)) & np.isfinite(norm)
        lost = int(np.argmin(finite)) if not finite.all() else len(finite)
        metrics[lost:], norm[lost:], quantities[:, lost:] = np.nan, np.nan, np.nan
        losses, accuracies = metrics[:, 0], metrics[:, 1]
        curves = dict(
            zip(
                METRICS,
                (losses[:, 0], accuracies[:, 0], losses[:, 1], accuracies[:, 1], accuracies[:, 2]),
                strict=True,
            )
        )
        curves["parameter_norm"] = norm
        diverged = lost < len(finite)
        return Record(
            run.id,
            Status.DIVERGED if diverged else Status.DONE,
            self.task.parts,
            np.array(self.steps, np.int64),
            {name: np.ascontiguousarray(curve) for name, curve in curves.items()},
            {name: tuple(counts[i].tolist()) for i, name in enumerate(SETS)},
            parameters,
            f"not finite at step {self.steps[lost]}" if diverged else "",
            dict(zip(self.quantities, quantities, strict=True)),
        )
