"""What a task promises of its examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Features, Images, Task, Tokens
from grokbench.tasks.checks import check_inputs
from grokbench.tasks.judging import CrossEntropy, Judgement
from grokbench.tasks.mirrors import claims, exchanges, false_claims, index_of, same_labels, trains
from grokbench.testing.conformance.checks import (
    Fault,
    Specimen,
    fault_of,
    listed,
    must,
    must_be_none_or_words,
    must_work,
    promises,
    reported_by,
)
from grokbench.testing.conformance.exercises import Exercise, differing, digests_of, disturb
from grokbench.testing.conformance.judgements import why_meaningless

SMALL = range(1, 257)
"""Data sizes that are all asked for."""

LARGEST = 2**14
"""The largest data size that the kit has examples made of."""

SEEDS = 12
"""How many seeds are compared with each other."""

COMMON = 8
"""The number of inputs whose labels must be known before a rule is concluded from them."""


def data_sizes(task: Task) -> tuple[int, ...]:
    """The smallest, a middle and the largest data size that the task allows, up to LARGEST.

    Raises:
        Fault: it allows none.
    """
    doubled = [2**power for power in range(9, LARGEST.bit_length())]
    allowed = [size for size in (*SMALL, *doubled) if task.check(size) is None]
    must(
        allowed,
        f"check() refuses every data size from 1 to {LARGEST}: {task.check(SMALL[-1])}",
        "return None for the sizes that examples() can make",
    )
    largest, refused = allowed[-1], 2 * allowed[-1]
    while largest < LARGEST and refused - largest > 1:
        middle = (largest + refused) // 2
        largest, refused = (middle, refused) if task.check(middle) is None else (largest, middle)
    half = max(1, largest // 2)
    near = min(allowed, key=lambda size: abs(size - half))
    return tuple(sorted({allowed[0], near if task.check(half) else half, largest}))


def possible_sizes(specimen: Specimen) -> tuple[int, ...]:
    """The same, for checks that do not report a lack of sizes."""
    with reported_by("makes_every_size_it_allows"):
        return data_sizes(specimen.make())


def made(
    specimen: Specimen, seed: int = 0, data_size: int | None = None, task: Task | None = None
) -> Examples:
    """Examples of a task, by default of a new instance and of the middle data size."""
    sizes = possible_sizes(specimen)
    size = sizes[len(sizes) // 2] if data_size is None else data_size
    task = task or specimen.make()
    with reported_by("makes_every_size_it_allows"):
        return task.examples(size, Streams(seed))


def sound(specimen: Specimen, data_size: int | None = None) -> Examples:
    """Examples whose tensors have one row for each example."""
    with reported_by("has_rows_that_belong_together"):
        examples = made(specimen, data_size=data_size)
        rows = {len(values) for values in vars(examples).values()}
        masks = (examples.train, examples.validation, examples.mirror_free, examples.part)
        if len(rows) > 1 or any(mask.ndim > 1 for mask in masks):
            raise ValueError("rows do not belong together")
        return examples


def exercises(specimen: Specimen) -> Iterator[Exercise]:
    task: Task = specimen.make()
    for seed in range(2):
        yield Exercise(
            task,
            "making examples",
            lambda seed=seed: vars(made(specimen, seed, task=task)),  # type: ignore[misc]
            "draw with generator=streams('split'), or seed your own generator with "
            "streams.key('split') in every call",
        )


@promises("task", why="models are built from inputs and judgement, and metrics are stored by part")
def says_what_it_asks(specimen: Specimen) -> None:
    """Inputs, judgement and parts are declared, and the same for every instance."""
    task, other = specimen.make(), specimen.make()
    parts: Any = task.parts
    rules = {
        "inputs": (
            isinstance(task.inputs, Tokens | Features | Images)
            and positive(*vars(task.inputs).values()),
            "write Tokens, Features or Images, with whole numbers above 0",
        ),
        "judgement": (
            isinstance(task.judgement, Judgement) and positive(task.judgement.outputs),
            "write a Judgement, with a whole number of outputs above 0",
        ),
        "parts": (
            isinstance(parts, tuple)
            and 0 < len(parts) == len(set(parts))
            and all(isinstance(part, str) for part in parts),
            'write a tuple of different names, ("all",) for just one',
        ),
    }
    for name, (right, instead) in rules.items():
        declared, again = getattr(task, name), getattr(other, name)
        must(right, f"it declares {name} = {declared!r}", instead)
        must(
            declared == again,
            f"another instance declares {name} = {again!r}, not {declared!r}",
            "write a property that depends on the options alone",
        )


def positive(*numbers: Any) -> bool:
    return all(type(number) is int and number > 0 for number in numbers)


@promises("task", why="the author of a suite reads it, and a suite is either valid or invalid")
def refuses_in_words(specimen: Specimen) -> None:
    """check() and missing() return None, or say in words what is impossible or missing."""
    task: Task = specimen.make()
    must_be_none_or_words("missing()", task.missing(), specimen.make().missing())
    for size in (1, 2, 100, LARGEST, 2**40):
        must_be_none_or_words(f"check({size})", task.check(size), specimen.make().check(size))


@promises(
    "task",
    why="a suite would be accepted, and its runs would fail or be drawn at the wrong place",
    instead="train exactly data_size examples, or let check() refuse that size in words",
)
def makes_every_size_it_allows(specimen: Specimen) -> str:
    """For a data size that check() allows, examples() makes exactly this many training examples."""
    task: Task = specimen.make()
    sizes = data_sizes(task)
    for size, seed in [(size, seed) for size in sizes for seed in range(3)]:
        with must_work(f"check({size}) allows the size, and examples({size})"):
            examples = task.examples(size, Streams(seed))
        trained = int((examples.train.bool() & (examples.part == 0)).sum())
        must(
            trained == size,
            f"check({size}) allows {size} training examples and examples({size}) has {trained} "
            f"of its first part {task.parts[0]!r}",
        )
    return f"data sizes tried: {', '.join(map(str, sizes))}"


@promises(
    "task",
    why="runs are stacked and indexed by them, small integers overflow, and a task must give the "
    "same bits on every device",
)
def has_rows_that_belong_together(specimen: Specimen) -> None:
    """All tensors have one row for each example, and the types that the contract names."""
    examples, task = made(specimen), specimen.make()
    whole, truth, floating = (torch.int64,), (torch.bool,), (torch.float32, torch.float64)
    allowed = {
        "inputs": whole if isinstance(task.inputs, Tokens) else floating,
        "labels": whole if isinstance(task.judgement, CrossEntropy) else floating,
        "train": truth,
        "validation": truth,
        "part": whole,
        "mirror_free": truth,
    }
    count = len(examples.inputs)
    for name, types in allowed.items():
        values = getattr(examples, name)
        wanted = " or ".join(str(one).removeprefix("torch.") for one in types)
        gradient = " with a gradient" if values.requires_grad else ""
        rows = len(values) == count and (name in ("inputs", "labels") or values.ndim == 1)
        must(
            values.dtype in types
            and rows
            and values.device.type == "cpu"
            and not values.requires_grad,
            f"{name} are {values.dtype} {list(values.shape)} on {values.device}{gradient}, and "
            f"there are {count} inputs",
            f"write {wanted} with {count} rows, on the CPU and without gradients",
        )


@promises("task", why="a model that memorizes would seem to generalize")
def splits_are_disjoint(specimen: Specimen) -> None:
    """No example both trains and validates, and no validation example has a training input."""
    for size in possible_sizes(specimen):
        examples = sound(specimen, data_size=size)
        both = int((examples.train.bool() & examples.validation.bool()).sum())
        must(
            not both,
            f"at data size {size}, {both} examples train and validate",
            "write validation=~train, or a part of it",
        )
    examples = sound(specimen)
    # Equal rows have equal numbers.
    _, row = examples.inputs.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    trained = torch.isin(row, row[examples.train.bool()])
    leaked = int(trained[examples.validation.bool()].sum())
    must(
        not leaked,
        f"{leaked} validation examples have an input that also trains",
        "list each input once, or keep its copies on one side of the split",
    )


@promises(
    "task",
    why="models are built for the declared inputs and outputs, and the loss indexes by the label",
    instead="look at how labels are computed; a product may have overflowed its integer type",
)
def labels_are_in_range(specimen: Specimen) -> None:
    """Labels and inputs have the shapes and ranges that the task declares, and labels differ."""
    task: Task = specimen.make()
    outputs, classes = task.judgement.outputs, isinstance(task.judgement, CrossEntropy)
    for size in possible_sizes(specimen):
        examples = sound(specimen, data_size=size)
        labels = examples.labels
        wanted = [len(examples.inputs)] if classes else [len(examples.inputs), outputs]
        must(list(labels.shape) == wanted, f"labels are {list(labels.shape)}", f"write {wanted}")
        low, high = labels.min(), labels.max()
        must(
            not classes or 0 <= low <= high < outputs,
            f"labels go from {low} to {high} and there are {outputs} classes",
        )
        try:
            check_inputs(task, examples.inputs)
        except ValueError as error:
            problem = str(error).removeprefix(f"{task.name}: ")
            raise fault_of(problem, "write finite numbers") from error
    examples = sound(specimen)
    trained = examples.labels[examples.train.bool()]
    differ = len(trained) < 2 or bool((trained != trained[0]).any())
    must(differ or not classes or outputs < 2, "all training examples have the same label")


@promises(
    "task",
    why="accuracy would be 0 or 1 whatever a model has learned, and claims are judged by accuracy",
    instead="write SquaredError(…, correct_by='sign') for labels below and above zero, or "
    "correct_by='tolerance' with a tolerance well below the spread of the labels",
)
def tells_right_from_wrong(specimen: Specimen) -> str | None:
    """The best answers count as correct, and one answer for all examples does not."""
    labels = sound(specimen).labels
    if len(labels) < 2:
        return "there is one example alone"
    reason = why_meaningless(specimen.make().judgement, labels)
    must(not reason, reason)
    return None


@promises(
    "task",
    why="curves over data size would compare different questions",
    instead="compute labels from inputs and options alone",
)
def answers_the_same_at_every_data_size(specimen: Specimen) -> str | None:
    """If labels are the same for every seed, they are the same for every data size."""
    sizes = possible_sizes(specimen)[:2]
    tables = [[labels_by_input(made(specimen, seed, size)) for seed in range(2)] for size in sizes]
    common = set.intersection(*(set(table) for tables_of in tables for table in tables_of))
    by_rule = all(first[row] == second[row] for first, second in tables for row in common)
    if len(sizes) < 2 or len(common) < COMMON or not by_rule:
        return "labels are drawn at random, or could not be compared"
    others = sum(tables[0][0][row] != tables[1][0][row] for row in common)
    must(
        not others,
        f"{others} of {len(common)} inputs have another label at data size {sizes[0]} than at "
        f"{sizes[1]}, for every seed",
    )
    return None


def labels_by_input(examples: Examples) -> dict[tuple[int, bytes], list[float] | float]:
    """Part and input → label."""
    rows = zip(examples.part.tolist(), rows_of(examples.inputs), strict=True)
    return dict(zip(rows, examples.labels.tolist(), strict=True))


@promises(
    "task",
    why="a part's curves would be empty, or stored under no name",
    instead="give each example the index of its part, and every part an example",
)
def every_part_has_examples(specimen: Specimen) -> str | None:
    """Each part has examples that train or validate."""
    task, examples = specimen.make(), sound(specimen)
    used = examples.train.bool() | examples.validation.bool()
    present = set(examples.part[used].tolist())
    must(
        present == set(range(len(task.parts))),
        f"parts {sorted(present)} occur and the task declares {list(task.parts)}",
    )
    return None if examples.validation.any() else "no example validates"


@promises(
    "task",
    why="an interval counts each seed as independent, and most of these would be copies",
    instead="draw the split with streams('split'), or seed a generator with streams.key('split')",
)
def another_seed_other_examples(specimen: Specimen) -> None:
    """Seeds differ in their split, labels or inputs."""
    different: set[str] = set()
    for seed in range(SEEDS):
        different.add(str(digests_of(vars(made(specimen, seed)))))
        if len(different) > 2:
            return
    count = len(different)
    raise Fault(f"the number of different sets of examples among {SEEDS} seeds is {count}")


@promises(
    "task",
    why="runs of one stack would share examples",
    instead="give each call its own tensors, with .clone() if they come from a cache",
)
def examples_are_its_callers_own(specimen: Specimen) -> None:
    """Two calls share no memory: what is written into the examples of one shows in no other."""
    task: Task = specimen.make()
    made(specimen, 1, task=task)
    disturb(0)
    first = made(specimen, task=task)
    before = digests_of(vars(first))
    second = made(specimen, 1, task=task)
    names = differing(digests_of(vars(first)), before)
    must(not names, f"making seed 1's examples changes {listed(names)} of seed 0's")
    kept = digests_of(vars(second))
    for values in vars(first).values():
        if 0 not in values.stride():  # An expanded tensor cannot be written into.
            values.zero_()
    disturb(0)
    must(
        digests_of(vars(second)) == kept and digests_of(vars(made(specimen))) == before,
        "what is written into one call's tensors shows in another's",
    )


@promises(
    "task",
    why="mirror_free_accuracy is the accuracy of validation examples, and a model that learned only "
    "that order does not matter would seem to generalize",
)
def mirror_free_is_true(specimen: Specimen) -> str | None:
    """Examples that are marked mirror-free validate, and have no mirror in training."""
    task, examples = specimen.make(), sound(specimen)
    free, validation = examples.mirror_free.bool(), examples.validation.bool()
    outside = int((free & ~validation).sum())
    must(
        not outside,
        f"{outside} examples are mirror-free and do not validate",
        "write mirror_free=~train & ~…, or validation itself if there are no mirrors",
    )
    if not free.any():
        return "no example is mirror-free"
    mirrors = dict(mirrors_of(task, examples))
    trained = set(rows_of(examples.inputs[examples.train.bool()]))
    for name, mirrored in mirrors.items():
        count = sum(row in trained for row in rows_of(mirrored[free]))
        if count and len(mirrors) > 1:
            return (
                f"{listed(list(mirrors))} never change a label, and after one of these changes "
                f"{count} mirror-free examples train; say which are mirrors with a method "
                "`mirror(inputs)`"
            )
        must(
            not count,
            f"{count} examples are marked mirror-free whose mirror trains ({name})",
            "leave them out of mirror_free",
        )
    return None if mirrors else "the kit knows no mirrors of these inputs"


@promises(
    "task",
    why="mirror_free_accuracy would leave out questions that training does not give away, and the "
    "theory would count too few different labels",
)
def mirrors_have_the_same_label(specimen: Specimen) -> str | None:
    """An example that is not mirror-free has a mirror in training, with the same label."""
    task, examples = specimen.make(), sound(specimen)
    if problem := false_claims(task, examples):
        raise fault_of(problem)
    unexplained = claims(examples)
    if not unexplained.any():
        return "every validation example is mirror-free"
    if hasattr(task, "mirror"):
        return None
    for _, swapped in exchanges(examples.inputs) if isinstance(task.inputs, Tokens) else ():
        found = index_of(examples.inputs, swapped)
        unexplained &= ~(trains(examples, found) & same_labels(examples, found))
    must(
        not unexplained.any(),
        f"{int(unexplained.sum())} validation examples are not mirror-free, and no exchange of two "
        "tokens makes a training example of the same label of them",
        "add them to mirror_free, or say what their mirrors are with a method `mirror(inputs)`",
    )
    return None


def mirrors_of(task: Task, examples: Examples) -> Iterator[tuple[str, Tensor]]:
    """Other ways to ask the same questions: what is done to the inputs, and the inputs after it.

    This is the task's own `mirror(inputs)` if it has one. Otherwise, for tokens, it is every
    exchange of two places that never changes a label.
    """
    if mirror := getattr(task, "mirror", None):
        yield "as its mirror() says", mirror(examples.inputs)
    elif isinstance(task.inputs, Tokens):
        for what, swapped in exchanges(examples.inputs):
            if never_changes_a_label(examples, swapped):
                yield what, swapped


def never_changes_a_label(examples: Examples, swapped: Tensor) -> bool:
    """Whether every changed input of a validating part is an example, too, of the same label."""
    relevant = torch.isin(examples.part, examples.part[examples.validation.bool()])
    moved = relevant & (examples.inputs != swapped).any(1)
    rows, labels = rows_of(examples.inputs[relevant]), examples.labels[relevant].tolist()
    label_of = dict(zip(rows, labels, strict=True))
    asked = zip(rows_of(swapped[moved]), examples.labels[moved].tolist(), strict=True)
    same = [label_of.get(row) == label for row, label in asked]
    return len(same) >= COMMON and all(same)


def rows_of(inputs: Tensor) -> list[bytes]:
    """Each input as bytes, the same for equal numbers."""
    rows = inputs.reshape(len(inputs), -1)
    # −0 + 0 is 0: the two zeros are equal, and so must be their bytes.
    numbers = rows.double() + 0.0 if rows.is_floating_point() else rows.long()
    return [row.tobytes() for row in numbers.contiguous().numpy()]
