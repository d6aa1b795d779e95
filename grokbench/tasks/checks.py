"""Checks that a task's examples keep the task's contract, before they are trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from grokbench.tasks.base import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy
from grokbench.tasks.mirrors import false_claims


def check_examples(examples: Examples, task: Task, data_size: int) -> None:
    """Check the examples of a run against the contract in `Task` and `Examples`.

    Raises:
        ValueError: the message says what is wrong, and what to write instead.
    """
    count = len(examples.inputs)
    for name, values in vars(examples).items():
        if len(values) != count:
            raise ValueError(f"{task.name}: {name} has {len(values)} rows, inputs has {count}")
    train, validation, free = (
        sets.bool() for sets in (examples.train, examples.validation, examples.mirror_free)
    )
    if bool((train & validation).any()):
        raise ValueError(
            f"{task.name}: {int((train & validation).sum())} examples train and validate"
        )
    if bool((free & ~validation).any()):
        raise ValueError(f"{task.name}: mirror_free marks examples that do not validate")
    check_range(task, "part", examples.part, len(task.parts))
    trained = int((train & (examples.part == 0)).sum())
    if trained != data_size:
        raise ValueError(
            f"{task.name}: {trained} examples of the part {task.parts[0]!r} train; "
            f"the data size is {data_size}"
        )
    check_inputs(task, examples.inputs)
    if complaint := task.judgement.refuses(examples.labels):
        raise ValueError(f"{task.name}: {complaint}")
    if isinstance(task.judgement, CrossEntropy):
        check_range(task, "labels", examples.labels, task.judgement.outputs)
    elif examples.labels.shape[1:] != (task.judgement.outputs,):
        raise ValueError(
            f"{task.name}: labels are {list(examples.labels.shape)}; "
            f"write [{count}, {task.judgement.outputs}]"
        )
    if false := false_claims(task, examples):
        raise ValueError(f"{task.name}: {false}")


def check_inputs(task: Task, inputs: Tensor) -> None:
    if isinstance(task.inputs, Tokens):
        check_range(task, "inputs", inputs, task.inputs.vocabulary)
    elif not bool(torch.isfinite(inputs).all()):
        raise ValueError(f"{task.name}: inputs are not finite")
    if inputs.shape[1:] != task.inputs.shape:
        raise ValueError(
            f"{task.name}: inputs are {list(inputs.shape)}; "
            f"write {[len(inputs), *task.inputs.shape]}, as the task's `inputs` say"
        )


def check_range(task: Task, name: str, values: Tensor, below: int) -> None:
    if values.is_floating_point():
        raise ValueError(f"{task.name}: {name} are {values.dtype}; write integers")
    if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < below:
        raise ValueError(
            f"{task.name}: {name} go from {int(values.min())} to {int(values.max())}; "
            f"write 0 to {below - 1}"
        )
