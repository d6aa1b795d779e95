"""What is measured while a stack trains, and the records it becomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from grokbench.architectures.base import Batch
from grokbench.record import METRICS, Record, Run, Status
from grokbench.tasks.base import Examples, Task

SETS = ("train", "validation", "mirror_free")
"""The sets of examples that metrics are means over, as `Examples` names them."""


class Meter:
    """Losses and accuracies of every run, part and set of examples, at each evaluation."""

    def __init__(self, task: Task, examples: Sequence[Examples], evaluation: Batch) -> None:
        self.task, self.labels = task, evaluation.labels
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
        self.metrics: list[Tensor] = []
        self.norms: list[Tensor] = []

    def measure(self, step: int, outputs: Tensor, parameters: Tensor) -> None:
        """Add one evaluation: `outputs` [runs, examples, outputs], `parameters` [runs, …]."""
        judgement = self.task.judgement
        if outputs.shape != (*self.labels.shape[:2], judgement.outputs):
            raise ValueError(
                f"the architecture gives outputs of shape {list(outputs.shape[1:])}; "
                f"write {[self.labels.shape[1], judgement.outputs]}"
            )
        correct = judgement.correct(outputs, self.labels).double()
        loss = judgement.loss(outputs, self.labels).double()
        both = torch.stack([loss, correct], 1) @ self.shares
        self.steps.append(step)
        self.metrics.append(both.view(len(both), 2, len(SETS), -1).cpu())
        self.norms.append(torch.linalg.vector_norm(parameters, dim=1, dtype=torch.float64).cpu())

    @property
    def finite(self) -> Tensor:
        """Which runs are still finite: bool [runs]."""
        return self.metrics[-1].isfinite().flatten(1).all(1) & self.norms[-1].isfinite()

    @property
    def validation_accuracy(self) -> float:
        """The mean over runs, in the first part; training accuracy where nothing validates."""
        validates = bool(self.counts[0, 1, 0])
        return float(self.metrics[-1][:, 1, int(validates), 0].mean())

    def records(self, runs: Sequence[Run], parameters: int) -> list[Record]:
        """A record for each run; from the step at which a run stopped being finite on, NaN."""
        metrics, norms = torch.stack(self.metrics, 1), torch.stack(self.norms, 1)
        metrics.masked_fill_(self.counts[:, None, None] == 0, torch.nan)
        return [
            self._record(run, metrics[i], norms[i], self.counts[i], parameters)
            for i, run in enumerate(runs)
        ]

    def _record(
        self, run: Run, measured: Tensor, norms: Tensor, counts: Tensor, parameters: int
    ) -> Record:
        # What is too large for float32 is not finite: records hold float32.
        metrics, norm = measured.float().numpy(), norms.float().numpy()
        absent = (counts == 0).numpy()
        finite = (np.isfinite(metrics) | absent).all((1, 2, 3)) & np.isfinite(norm)
        lost = int(np.argmin(finite)) if not finite.all() else len(finite)
        metrics[lost:], norm[lost:] = np.nan, np.nan
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
        )
