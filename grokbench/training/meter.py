"""What is measured while a stack trains, and the records that it becomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grokbench.record import Record, Run, Status
from grokbench.schema import METRICS, SUBSETS
from grokbench.tasks.base import Examples
from grokbench.training.stack import Stack
from grokbench.training.transfers import Transfers


class Meter:
    """Losses and accuracies of every run, part and set of examples, at each evaluation.

    One evaluation is a tensor [runs, values]. Its columns are the losses of every set and part,
    the accuracies of every set and part, the norm of all parameters that want a gradient, and the
    measures' quantities.

    Args:
        quantities: the names of the measures' quantities. A quantity may be NaN or infinite; that
            alone is no divergence.
    """

    def __init__(self, stack: Stack, quantities: Sequence[str] = ()) -> None:
        self.task, self.labels = stack.setup.task, stack.evaluation.labels
        self.quantities = tuple(quantities)
        self.width = 2 * len(SUBSETS) * len(self.task.parts) + 1
        weights = stack.evaluation.weights
        members = memberships(stack.examples, len(self.task.parts), weights.shape[1])
        self.counts = members.sum(1).to(torch.int64)
        # [runs, examples, sets · parts]: 1/n for each of a set's n examples, so that the product
        # with the losses is the set's mean loss. An empty set has 0/0, which becomes 0.
        self.shares = (members / members.sum(1, keepdim=True)).flatten(2).nan_to_num_()
        self.shares = self.shares.to(weights.device)
        self.steps: list[int] = []
        self.evaluations = Transfers()

    def judge(self, outputs: Tensor, parameters: Tensor) -> Tensor:
        """One evaluation, on the device: [runs, 2 · sets · parts + 1] float64.

        Args:
            outputs: [runs, examples, outputs].
            parameters: those that want a gradient, [runs, parameters].

        Raises:
            ValueError: the architecture gives outputs of another shape.
        """
        judgement = self.task.judgement
        if outputs.shape != (*self.labels.shape[:2], judgement.outputs):
            raise ValueError(
                f"the architecture gives outputs of shape {list(outputs.shape[1:])}; "
                f"write {[self.labels.shape[1], judgement.outputs]}"
            )
        # Means over thousands of examples are taken in float64, whatever the precision is.
        correct = judgement.correct(outputs, self.labels).double()
        loss = judgement.loss(outputs, self.labels).double()
        both = torch.stack([loss, correct], 1) @ self.shares
        norm = torch.linalg.vector_norm(parameters, dim=1, keepdim=True, dtype=torch.float64)
        return torch.cat([both.flatten(1), norm], 1)

    def add(self, step: int, judged: Tensor, measured: Tensor | None = None) -> None:
        """Keep one evaluation.

        Args:
            step: the number of steps taken before it.
            judged: what `judge` gave.
            measured: what the measures gave, [runs, quantities].
        """
        self.steps.append(step)
        if measured is not None:
            judged = torch.cat([judged, measured.to(judged)], 1)
        self.evaluations.add(judged)

    def state(self) -> dict[str, Any]:
        """What was measured so far, for a checkpoint. Files call the evaluations `readings`."""
        return {"steps": list(self.steps), "readings": self.evaluations.all()}

    def state_of(self, rows: Tensor) -> dict[str, Any]:
        """The state of some of the runs alone."""
        state = self.state()
        return {**state, "readings": [evaluation[rows] for evaluation in state["readings"]]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        self.steps = list(state["steps"])
        self.evaluations = Transfers(state["readings"])

    @property
    def finite(self) -> Tensor:
        """Which runs were finite in the latest evaluation that has arrived: bool [runs]."""
        return self.evaluations.latest()[:, : self.width].isfinite().all(1)

    @property
    def validation_accuracy(self) -> float:
        """The mean over runs, in the first part; NaN if the first run has no validation example."""
        validation = self._metrics(self.evaluations.latest())[:, 1, 1, 0]
        return float(validation.mean()) if self.counts[0, 1, 0] else math.nan

    def _metrics(self, evaluations: Tensor) -> Tensor:
        """[…, values] → losses and accuracies […, 2, sets, parts]."""
        values = evaluations[..., : self.width - 1]
        return values.reshape(*evaluations.shape[:-1], 2, len(SUBSETS), -1)

    def records(self, runs: Sequence[Run], parameters: int) -> list[Record]:
        """A record for each run, with NaN from the run's first evaluation that is not finite.

        Args:
            parameters: the number of parameters of one run.
        """
        evaluations = torch.stack(self.evaluations.all(), 1)
        metrics, norms = self._metrics(evaluations), evaluations[..., self.width - 1]
        measured = evaluations[..., self.width :]
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
        """The record of one run.

        Args:
            judged: losses and accuracies, [evaluations, 2, sets, parts].
            norms: [evaluations].
            measured: [evaluations, quantities].
            counts: the numbers of examples, [sets, parts].
            parameters: the number of parameters.
        """
        # Records hold float32. A value that is too large for float32 counts as not finite.
        metrics, norm = judged.float().numpy(), norms.float().numpy()
        quantities = np.ascontiguousarray(measured.float().numpy().T)
        absent = (counts == 0).numpy()
        finite = (np.isfinite(metrics) | absent).all((1, 2, 3)) & np.isfinite(norm)
        # From the first evaluation that is not finite on, nothing is kept.
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
            {name: tuple(counts[i].tolist()) for i, name in enumerate(SUBSETS)},
            parameters,
            f"not finite at step {self.steps[lost]}" if diverged else "",
            dict(zip(self.quantities, quantities, strict=True)),
        )


def memberships(examples: Sequence[Examples], parts: int, length: int) -> Tensor:
    """1 where an example belongs to a set and part, else 0: [runs, examples, sets, parts] float64.

    Args:
        length: the number of examples that runs are padded to.
    """
    members = torch.zeros(len(examples), length, len(SUBSETS), parts, dtype=torch.float64)
    for run, one in enumerate(examples):
        for i, name in enumerate(SUBSETS):
            for part in range(parts):
                members[run, : len(one.part), i, part] = getattr(one, name) & (one.part == part)
    return members
