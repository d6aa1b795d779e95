"""Whether the mirrors that a task's examples claim are mirrors: the same question, the same answer.

An example that validates and is not mirror-free claims that its mirror trains. A task may say what its
mirrors are with a method `mirror(inputs)`. Otherwise they are read off the claims: tokens at two
places are exchanged, and an exchange that leads into training from exactly the examples with a claim
is what the task means by a mirror.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from grokbench.tasks.base import Examples, Task, Tokens

ENOUGH = 8
"""The number of claims from which an exchange is concluded."""

FIRST = 64
"""How many claims an exchange is tried on before it is tried on all of them."""

MOST = 2**20
"""With more examples, exchanges are not tried: it would take more memory than the training."""

REMEDY = (
    "a mirror has the same label; write mirror_free=~train where the order matters, or leave out only "
    "examples whose mirror has the same label"
)


def index_of(inputs: Tensor, rows: Tensor) -> Tensor:
    """The index of the example with the inputs of each row, -1 where there is none: [rows].

    Args:
        inputs: of all examples, [examples, length or width]; no two are equal.
        rows: [rows, length or width].
    """
    number = torch.zeros(len(inputs) + len(rows), dtype=torch.int64)
    for column in torch.cat([inputs, rows]).T:
        # Number the different beginnings of rows: a shorter beginning, and one value more.
        value = column.unique(return_inverse=True)[1]
        number = (number * (int(value.max()) + 1) + value).unique(return_inverse=True)[1]
    place = torch.full((int(number.max()) + 1,), -1)
    place[number[: len(inputs)]] = torch.arange(len(inputs))
    return place[number[len(inputs) :]]


def exchanges(inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Every exchange of the tokens at two places: what is done, and the inputs after it."""
    for first, second in torch.combinations(torch.arange(inputs.shape[1])).tolist():
        swapped = inputs.clone()
        swapped[:, [first, second]] = inputs[:, [second, first]]
        yield f"exchanging tokens {first} and {second}", swapped


def claims(examples: Examples) -> Tensor:
    """Which examples claim that their mirror trains: bool [examples]."""
    return examples.validation.bool() & ~examples.mirror_free.bool()


def false_claims(task: Task, examples: Examples) -> str | None:
    """Why the mirrors that examples claim are none, and what to write instead; else None."""
    claimed = claims(examples)
    if mirror := getattr(task, "mirror", None):
        found = index_of(examples.inputs, mirror(examples.inputs))
        validating = torch.isin(examples.part, examples.part[examples.validation.bool()])
        wrong = validating & (found >= 0) & ~same_labels(examples, found)
        if bool(wrong.any()):
            return (
                f"{int(wrong.sum())} examples have another label than what mirror() makes of them; "
                f"{REMEDY}"
            )
        untrained = claimed & ~trains(examples, found)
        if bool(untrained.any()):
            return (
                f"{int(untrained.sum())} validation examples are not mirror-free, and what mirror() "
                "makes of them does not train; write mirror_free=~train & ~(its mirror trains)"
            )
        return None
    if not isinstance(task.inputs, Tokens) or int(claimed.sum()) < ENOUGH or len(claimed) > MOST:
        return None
    validation = examples.validation.bool()
    trained = set(map(tuple, examples.inputs[examples.train.bool()].tolist()))
    few = claimed.nonzero().squeeze(1)[:FIRST]
    for what, swapped in exchanges(examples.inputs):
        if not all(tuple(row) in trained for row in swapped[few].tolist()):
            continue
        found = index_of(examples.inputs, swapped)
        if not torch.equal(claimed, validation & trains(examples, found)):
            continue
        wrong = claimed & ~same_labels(examples, found)
        if bool(wrong.any()):
            return (
                f"{int(wrong.sum())} of {int(claimed.sum())} validation examples that are not "
                f"mirror-free have another label than their mirror in training ({what}); {REMEDY}"
            )
    return None


def trains(examples: Examples, index: Tensor) -> Tensor:
    """Which of these examples train: bool; false where the index is -1."""
    return (index >= 0) & examples.train.bool()[index]


def same_labels(examples: Examples, index: Tensor) -> Tensor:
    """Which examples have the same label as the example that `index` names: bool [examples]."""
    same = examples.labels == examples.labels[index]
    return same.flatten(1).all(1) if same.ndim > 1 else same
