"""Whether a judgement tells right answers from wrong ones."""

from __future__ import annotations

import torch
from torch import Tensor

from grokbench.tasks.judging import Judgement

JUDGED = 100
"""The most examples that are judged."""

STEPS, SLOWEST = 300, 1e-7
"""Steps towards the best answers, and the last step's length as a part of the first's."""


def why_meaningless(judgement: Judgement, labels: Tensor) -> str:
    """Why the accuracy would say nothing about a model; empty if it would say something.

    Args:
        labels: of two examples or more.
    """
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:JUDGED]
    labels = labels[chosen].double() if labels.is_floating_point() else labels[chosen]
    best = best_answers(judgement, labels, len(labels))
    wrong = int((~judgement.correct(best, labels)).sum())
    if wrong:
        return f"{wrong} of {len(labels)} answers with the lowest loss count as wrong"
    same = best_answers(judgement, labels, 1)
    if bool(judgement.correct(same, labels).all()):
        return f"one and the same answer counts as correct for all of {len(labels)} examples"
    return ""


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
