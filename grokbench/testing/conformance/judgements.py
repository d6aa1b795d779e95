"""What the judgement of a task promises."""

from __future__ import annotations

import torch
from torch import Tensor

from grokbench.tasks.base import Task
from grokbench.tasks.judging import Judgement
from grokbench.testing.conformance.checks import Inapplicable, Specimen, must, promises

JUDGED = 100
"""The most examples that are judged."""

STEPS, SLOWEST = 300, 1e-7
"""Steps towards the best answers, and the last step's length as a part of the first's."""


@promises(
    "task",
    why="accuracy would be 0 or 1 whatever a model has learned, and claims are judged by accuracy",
    instead="write SquaredError(…, correct_by='sign') for labels below and above zero, or "
    "correct_by='tolerance' with a tolerance well below the spread of the labels",
)
def tells_right_from_wrong(specimen: Specimen) -> None:
    """The best answers count as correct, and one answer for all examples does not."""
    from grokbench.testing.conformance.tasks import sound

    task: Task = specimen.make()
    labels = sound(specimen).labels
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:JUDGED]
    labels = labels[chosen]
    labels = labels.double() if labels.is_floating_point() else labels
    if len(labels) < 2:
        raise Inapplicable("there is one example")
    best = best_answers(task.judgement, labels, len(labels))
    wrong = int((~task.judgement.correct(best, labels)).sum())
    must(
        not wrong,
        f"{wrong} of {len(labels)} answers with the lowest loss count as wrong",
    )
    same = best_answers(task.judgement, labels, 1)
    must(
        not bool(task.judgement.correct(same, labels).all()),
        f"one and the same answer counts as correct for all of {len(labels)} examples",
    )


def best_answers(judgement: Judgement, labels: Tensor, different: int) -> Tensor:
    """Answers with the lowest mean loss, found with the judgement's own gradient.

    Args:
        different: one for one answer to all examples, or the number of examples.
    """
    answers = torch.zeros(different, judgement.outputs, dtype=torch.float64)
    weights = torch.ones(len(labels), dtype=torch.float64)
    first = 0.1 * (1.0 if labels.dtype == torch.int64 else 1 + float(labels.abs().max()))
    optimizer = torch.optim.Adam([answers], lr=first)
    slower = torch.optim.lr_scheduler.ExponentialLR(optimizer, SLOWEST ** (1 / STEPS))
    for _ in range(STEPS):
        slope = judgement.gradient(answers.expand(len(labels), -1).clone(), labels, weights)
        answers.grad = slope.sum(0, keepdim=True) if different == 1 else slope
        optimizer.step()
        slower.step()
    return answers.expand(len(labels), -1)
