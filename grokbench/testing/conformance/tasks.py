"""What a task promises of its examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from grokbench.plugins import describe
from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Features, Task, Tokens
from grokbench.tasks.checks import check_inputs
from grokbench.tasks.judging import CrossEntropy, Judgement
from grokbench.testing.conformance.another_process import digests, examples_elsewhere
from grokbench.testing.conformance.checks import (
    Fault,
    Inapplicable,
    Specimen,
    listed,
    once,
    promises,
)
from grokbench.testing.conformance.global_state import RANDOM, changed, disturb

SMALL = range(1, 257)
"""Data sizes that are all asked for."""

LARGEST = 2**14
"""The largest data size that the kit has examples made of."""

SEEDS = 12
"""How many are looked at for whether they differ."""

COMMON = 8
"""So many inputs must be there at two data sizes for their labels to be compared."""

TENSORS = tuple(Examples.__annotations__)


def data_sizes(task: Task) -> tuple[int, ...]:
    """The smallest, a middle and the largest data size that the task allows, up to LARGEST.

    Raises:
        Fault: it allows none.
    """
    doubled = [2**power for power in range(9, LARGEST.bit_length())]
    allowed = [size for size in (*SMALL, *doubled) if task.check(size) is None]
    if not allowed:
        raise Fault(
            f"check() refuses every data size from 1 to {LARGEST}: {task.check(SMALL[-1])}",
            "nothing could be trained",
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
    """The same, where there are any; where not, another check says so."""
    task: Task = specimen.make()
    with once("makes_every_size_it_allows"):
        return data_sizes(task)


def middle_of(specimen: Specimen) -> int:
    """A data size at which there is something to choose, if there is one."""
    sizes = possible_sizes(specimen)
    return sizes[len(sizes) // 2]


def made(specimen: Specimen, seed: int = 0, data_size: int | None = None) -> Examples:
    """Examples of a fresh instance; what it raises is for the first check of them to report."""
    task: Task = specimen.make()
    size = middle_of(specimen) if data_size is None else data_size
    with once("makes_every_size_it_allows"):
        return task.examples(size, Streams(seed))


def sound(specimen: Specimen, data_size: int | None = None) -> Examples:
    """Examples whose rows belong together; where they do not, another check says so."""
    with once("has_rows_that_belong_together"):
        examples = made(specimen, data_size=data_size)
        rows = {len(getattr(examples, name)) for name in TENSORS}
        masks = (examples.train, examples.validation, examples.mirror_free, examples.part)
        if len(rows) > 1 or any(mask.ndim > 1 for mask in masks):
            raise ValueError("rows do not belong together")
        return examples


def differing(first: Examples, second: Examples) -> list[str]:
    """Which tensors are not bit-equal."""
    return [name for name in TENSORS if not same(getattr(first, name), getattr(second, name))]


def same(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


def copies(examples: Examples) -> Examples:
    return Examples(**{name: getattr(examples, name).clone() for name in TENSORS})


@promises("task")
def says_what_it_asks(specimen: Specimen) -> None:
    """Its inputs, judgement and parts are declared, and the same for every instance."""
    task: Task = specimen.make()
    declared = {"inputs": task.inputs, "judgement": task.judgement, "parts": task.parts}
    instead = "write a property that depends on the options alone"
    for name, kinds in (("inputs", (Tokens, Features)), ("judgement", (Judgement,))):
        if not isinstance(declared[name], kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise Fault(
                f"its {name} are {declared[name]!r}",
                "architectures are built from them",
                f"write a {wanted}",
            )
    numbers = [*vars(task.inputs).values(), task.judgement.outputs]
    if not all(type(number) is int and number > 0 for number in numbers):
        raise Fault(
            f"it declares {task.inputs} and {task.judgement}",
            "a model has at least one input and one output",
            "write whole numbers above 0",
        )
    parts: Any = task.parts
    named = isinstance(parts, tuple) and parts and all(isinstance(part, str) for part in parts)
    if not named or len(set(parts)) < len(parts):
        raise Fault(
            f"its parts are {parts!r}",
            "metrics are kept apart by their names",
            'write a tuple of different names, ("all",) for just one',
        )
    other: Task = specimen.make()
    again = {"inputs": other.inputs, "judgement": other.judgement, "parts": other.parts}
    if again != declared:
        raise Fault(
            f"another instance declares {again}, not {declared}", "runs share them", instead
        )


@promises("task")
def refuses_in_words(specimen: Specimen) -> None:
    """check() gives None, or says in words why a data size cannot be had."""
    task: Task = specimen.make()
    for size in (1, 2, 100, LARGEST, 2**40):
        answer: Any = task.check(size)
        if answer is not None and not (isinstance(answer, str) and answer.strip()):
            raise Fault(
                f"check({size}) gives {answer!r}",
                "it is shown to whoever wrote the suite",
                "return None, or a sentence that says what can be had",
            )
        if specimen.make().check(size) != answer:
            raise Fault(
                f"check({size}) says one thing once and another the next time",
                "a suite is valid or is not",
                "decide by the data size and the options alone",
            )


@promises("task")
def makes_every_size_it_allows(specimen: Specimen) -> str:
    """Whatever data size check() allows, so many examples train."""
    task: Task = specimen.make()
    sizes = data_sizes(task)
    for size, seed in [(size, seed) for size in sizes for seed in range(3)]:
        try:
            examples = task.examples(size, Streams(seed))
        except (Exception, SystemExit) as error:
            raise Fault(
                f"check({size}) allows what examples({size}) raises {describe(error)} for",
                "a suite would be accepted and its runs fail",
                "have check() refuse that size, and say which can be had",
            ) from error
        trained = int((examples.train.bool() & (examples.part == 0)).sum())
        if trained != size:
            raise Fault(
                f"check({size}) allows {size} training examples and examples({size}) has {trained} "
                f"of its first part {task.parts[0]!r}",
                "curves over data size would be drawn at the wrong place",
                "train exactly data_size examples, or have check() refuse that size",
            )
    return f"data sizes tried: {', '.join(map(str, sizes))}"


@promises("task")
def has_rows_that_belong_together(specimen: Specimen) -> None:
    """All tensors have a row an example, of the types that the contract names."""
    examples = made(specimen)
    count = len(examples.inputs)
    whole, truth = (torch.int64,), (torch.bool,)
    tokens = isinstance(specimen.make().inputs, Tokens)
    classes = isinstance(specimen.make().judgement, CrossEntropy)
    floating = (torch.float32, torch.float64)
    allowed = {
        "inputs": whole if tokens else floating,
        "labels": whole if classes else floating,
        "train": truth,
        "validation": truth,
        "part": whole,
        "mirror_free": truth,
    }
    for name, types in allowed.items():
        values = getattr(examples, name)
        wanted = " or ".join(str(one).removeprefix("torch.") for one in types)
        found = f"{values.dtype} {list(values.shape)} on {values.device}"
        rows = name in ("inputs", "labels") or values.ndim == 1
        if values.dtype not in types or len(values) != count or not rows:
            raise Fault(
                f"{name} are {found}, and there are {count} inputs",
                "runs are stacked and indexed by them"
                + (", and a small integer type overflows" if "float" not in wanted else ""),
                f"write {wanted} with {count} rows",
            )
        if values.device.type != "cpu" or values.requires_grad:
            raise Fault(
                f"{name} are {found}{' with a gradient' if values.requires_grad else ''}",
                "a task must give the same bits whatever device trains",
                "make examples on the CPU, from the streams' generators, without gradients",
            )


@promises("task")
def splits_are_disjoint(specimen: Specimen) -> None:
    """No example both trains and validates."""
    for size in possible_sizes(specimen):
        examples = sound(specimen, data_size=size)
        both = int((examples.train.bool() & examples.validation.bool()).sum())
        if both:
            raise Fault(
                f"at data size {size}, {both} examples train and validate",
                "validation accuracy would measure memory",
                "write validation=~train, or a part of it",
            )


@promises("task")
def validation_inputs_are_not_in_training(specimen: Specimen) -> None:
    """No validation example has the very input of a training example."""
    examples = sound(specimen)
    leaked = int(occurs_in(examples.inputs, examples.train)[examples.validation.bool()].sum())
    if leaked:
        raise Fault(
            f"{leaked} validation examples have an input that also trains",
            "a model that memorizes would seem to generalize",
            "list each input once, or keep its copies on one side of the split",
        )


def occurs_in(rows: Tensor, among: Tensor) -> Tensor:
    """Which rows [rows, width] equal one of those that `among` [rows] marks: bool [rows]."""
    _, number = rows.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    return torch.isin(number, number[among.bool()])


@promises("task")
def labels_are_in_range(specimen: Specimen) -> None:
    """Labels and inputs are of the shapes and within the ranges that the task declares."""
    task: Task = specimen.make()
    for size in possible_sizes(specimen):
        examples = sound(specimen, data_size=size)
        labels, judgement = examples.labels, task.judgement
        count = len(examples.inputs)
        if isinstance(judgement, CrossEntropy):
            if labels.shape != (count,):
                raise Fault(
                    f"labels are {list(labels.shape)}",
                    f"each example has one of {judgement.outputs} classes",
                    f"write [{count}]",
                )
            low, high = int(labels.min()), int(labels.max())
            if not 0 <= low <= high < judgement.outputs:
                raise Fault(
                    f"labels go from {low} to {high} and there are {judgement.outputs} classes",
                    "the loss would index what is not there"
                    + ("; a product may have overflowed its integer type" if low < 0 else ""),
                    f"write labels from 0 to {judgement.outputs - 1}, or another CrossEntropy",
                )
        elif labels.shape != (count, judgement.outputs):
            raise Fault(
                f"labels are {list(labels.shape)}",
                f"each example has {judgement.outputs} values to meet",
                f"write [{count}, {judgement.outputs}]",
            )
        try:
            check_inputs(task, examples.inputs)
        except ValueError as error:
            what, _, instead = str(error).removeprefix(f"{task.name}: ").partition("; ")
            why = "models are built for what `inputs` declares"
            raise Fault(what, why, instead or "write finite numbers") from error


@promises("task")
def answers_the_same_at_every_data_size(specimen: Specimen) -> str | None:
    """Where labels are the same for every seed, they are the same for every data size."""
    sizes = possible_sizes(specimen)[:2]
    tables = [
        [labels_by_input(made(specimen, seed=seed, data_size=size)) for seed in range(2)]
        for size in sizes
    ]
    common = set.intersection(*(set(table) for tables_of in tables for table in tables_of))
    by_rule = all(first[row] == second[row] for first, second in tables for row in common)
    if len(sizes) < 2 or len(common) < COMMON or not by_rule:
        return "labels are drawn, or not compared"
    others = sum(tables[0][0][row] != tables[1][0][row] for row in common)
    if others:
        raise Fault(
            f"{others} of {len(common)} inputs have another label at data size {sizes[0]} than at "
            f"{sizes[1]}, whatever the seed",
            "curves over data size would compare different questions",
            "compute labels from inputs and options alone",
        )
    return None


def labels_by_input(examples: Examples) -> dict[tuple[float, ...], list[float] | float]:
    """Part and input → label."""
    parts = examples.part.tolist()
    rows = [(part, *row) for part, row in zip(parts, rows_of(examples.inputs), strict=True)]
    return dict(zip(rows, examples.labels.tolist(), strict=True))


@promises("task")
def every_part_has_examples(specimen: Specimen) -> str | None:
    """Each of the parts has examples that train or validate."""
    task, examples = specimen.make(), sound(specimen)
    used = examples.train.bool() | examples.validation.bool()
    present = set(examples.part[used].tolist())
    missing = [name for index, name in enumerate(task.parts) if index not in present]
    if missing or not present <= set(range(len(task.parts))):
        raise Fault(
            f"parts {sorted(present)} occur and the task declares {list(task.parts)}",
            "a part's curves would be empty, or kept under no name",
            "give each example the index of its part, and every part an example",
        )
    if not examples.validation.any():
        return "nothing validates"
    return None


@promises("task")
def same_seed_same_examples(specimen: Specimen) -> None:
    """One seed gives the same bits, whatever was made before."""
    task: Task = specimen.make()
    size = middle_of(specimen)
    with once("makes_every_size_it_allows"):
        task.examples(size, Streams(1))
    disturb(0)
    first = copies(task.examples(size, Streams(0)))
    task.examples(size, Streams(1))
    for again, whose in ((task, "the same instance"), (specimen.make(), "another instance")):
        disturb(0)
        if names := differing(first, again.examples(size, Streams(0))):
            raise Fault(
                f"{listed(names)} of seed 0 differ when {whose} makes them again",
                "a run could not be repeated",
                "draw everything from streams, and keep no generator between calls",
            )


@promises("task")
def same_examples_in_another_process(specimen: Specimen) -> None:
    """One seed gives the same bits in another process, which orders its sets in another way."""
    task: Task = specimen.make()
    size = middle_of(specimen)
    here, again = (digests(vars(disturbed(specimen, seed)).items()) for seed in range(2))
    if here != again:
        raise Inapplicable("see same_seed_same_examples, draws_from_its_streams_alone")
    there = examples_elsewhere(task, size, seed=0)
    if here != there:
        names = [own[0] for own, other in zip(here, there, strict=True) if own != other]
        raise Fault(
            f"{listed(names)} of seed 0 differ when another process makes them",
            "a run could not be repeated, nor one half of a suite trained elsewhere",
            "draw from streams; write streams.key(…) for hash(…), and sorted(…) around a set",
        )


def disturbed(specimen: Specimen, state: int) -> Examples:
    """Seed 0's examples, made while the global random generators stand somewhere."""
    disturb(state)
    return made(specimen)


@promises("task")
def another_seed_other_examples(specimen: Specimen) -> None:
    """Seeds differ in their split, labels or inputs."""
    first = made(specimen, seed=0)
    if not any(differing(first, made(specimen, seed=seed)) for seed in range(1, 4)):
        raise Fault(
            "seeds 0 to 3 have the same examples",
            "seeds are what intervals rest on, and these would differ in initial weights alone",
            "choose what trains with streams('split')",
        )
    different: list[Examples] = []
    for examples in (made(specimen, seed=seed) for seed in range(SEEDS)):
        if all(differing(one, examples) for one in different):
            different.append(examples)
        if len(different) > 2:
            return
    raise Fault(
        f"{SEEDS} seeds have {len(different)} different sets of examples among them",
        "intervals count each seed as one more, and most of these would be copies",
        "draw from streams('split') itself, or seed a generator with all of streams.key('split')",
    )


@promises("task")
def draws_from_its_streams_alone(specimen: Specimen) -> None:
    """Nothing depends on the global random generators of torch, numpy or Python."""
    for name in RANDOM:
        disturb(0)
        first = made(specimen)
        disturb(0)
        disturb(1, (name,))
        if names := differing(first, made(specimen)):
            raise Fault(
                f"{listed(names)} depend on {name}",
                "a run would depend on whatever ran before it",
                "draw with generator=streams('split'), or seed your own generator with "
                "streams.key('split')",
            )


@promises("task")
def leaves_global_state_alone(specimen: Specimen) -> None:
    """Making examples changes no random generator, switch, environment variable or option."""
    disturb(3)
    if touched := changed(lambda: made(specimen)):
        raise Fault(
            f"making examples changes {' and '.join(touched)}",
            "whatever else runs in the process would depend on it",
            "draw from streams and set no global switch",
        )
    task, size = specimen.make(), middle_of(specimen)
    before = repr(task.options)
    with once("makes_every_size_it_allows"):
        task.examples(size, Streams(0))
    if repr(task.options) != before:
        raise Fault(
            f"making examples changes the task's options from {before} to {task.options!r}",
            "they are part of a run's identity, and are written down with its results",
            "write options of numbers, text and tuples, and keep what changes elsewhere",
        )


@promises("task")
def examples_are_its_callers_own(specimen: Specimen) -> None:
    """A second call changes nothing that the first gave, and remembers nothing done to it."""
    task: Task = specimen.make()
    size = middle_of(specimen)
    with once("makes_every_size_it_allows"):
        task.examples(size, Streams(1))
    disturb(0)
    first = task.examples(size, Streams(0))
    before = copies(first)
    second = task.examples(size, Streams(1))
    if names := differing(first, before):
        raise Fault(
            f"making seed 1's examples changes {listed(names)} of seed 0's",
            "runs of one stack would share examples",
            "make new tensors in every call",
        )
    kept = copies(second)
    for name in TENSORS:
        overwrite(getattr(first, name))
    disturb(0)
    if differing(second, kept) or differing(before, specimen.make().examples(size, Streams(0))):
        raise Fault(
            "what is written into one call's tensors shows in another's",
            "runs of one stack would share examples",
            "give each call tensors of its own, with .clone() where they come from a cache",
        )


def overwrite(values: Tensor) -> None:
    """Write zeros into a tensor, unless several of its places are one in memory."""
    if not any(stride == 0 for stride in values.stride()):
        values.zero_()


@promises("task")
def mirror_free_is_true(specimen: Specimen) -> str | None:
    """Examples marked mirror-free validate, and have no mirror in training."""
    task, examples = specimen.make(), sound(specimen)
    free, validation = examples.mirror_free.bool(), examples.validation.bool()
    outside = int((free & ~validation).sum())
    if outside:
        raise Fault(
            f"{outside} examples are mirror-free and do not validate",
            "mirror_free_accuracy is the accuracy of some of the validation examples",
            "write mirror_free=~train & ~…, or validation itself where nothing has a mirror",
        )
    if not free.any():
        return "no example is mirror-free"
    mirrors = dict(mirrors_of(task, examples))
    broken = {name: count for name, at in mirrors.items() if (count := in_training(examples, at))}
    if not broken:
        return None if mirrors else "the kit knows no mirrors of these inputs"
    name, count = next(iter(broken.items()))
    if len(mirrors) > 1:
        return (
            f"{listed(list(mirrors))} never change a label, and {count} mirror-free examples "
            "train when so changed; say which are mirrors with a method `mirror(inputs)`"
        )
    raise Fault(
        f"{count} examples are marked mirror-free whose mirror trains ({name})",
        "a model that learned only that order does not matter would seem to generalize",
        "leave them out of mirror_free",
    )


def mirrors_of(task: Task, examples: Examples) -> Iterator[tuple[str, Tensor]]:
    """Ways of asking each question differently, in words, and the inputs so asked.

    What the task's own `mirror(inputs)` says; otherwise, for tokens, the two places whose exchange
    never changes a label.
    """
    mirror = getattr(task, "mirror", None)
    if mirror is not None:
        yield "as its mirror() says", mirror(examples.inputs)
        return
    if not isinstance(task.inputs, Tokens):
        return
    length = task.inputs.length
    for first, second in ((i, j) for i in range(length) for j in range(i + 1, length)):
        order = list(range(length))
        order[first], order[second] = second, first
        swapped = examples.inputs[:, order]
        if never_changes_a_label(examples, swapped):
            yield f"exchanging tokens {first} and {second}", swapped


def never_changes_a_label(examples: Examples, swapped: Tensor) -> bool:
    """Whether every validating part's inputs, so changed, are there and have the same label."""
    parts = sorted(set(examples.part[examples.validation.bool()].tolist()))
    relevant = torch.isin(examples.part, torch.tensor(parts))
    inputs, labels = examples.inputs[relevant], examples.labels[relevant]
    label_of = dict(zip(rows_of(inputs), labels.tolist(), strict=True))
    changed_rows = (inputs != swapped[relevant]).any(1)
    asked = rows_of(swapped[relevant][changed_rows])
    own = labels[changed_rows].tolist()
    found = [label_of.get(row) == label for row, label in zip(asked, own, strict=True)]
    return len(found) >= 8 and all(found)


def in_training(examples: Examples, mirrors: Tensor) -> int:
    """How many mirror-free examples have a mirror, other than themselves, that trains."""
    trains = set(rows_of(examples.inputs[examples.train.bool()]))
    free = examples.mirror_free.bool()
    return sum(row in trains for row in rows_of(mirrors[free]))


def rows_of(inputs: Tensor) -> Iterable[tuple[float, ...]]:
    return [tuple(row) for row in inputs.tolist()]


@promises("task")
def has_something_to_learn(specimen: Specimen) -> None:
    """The training examples of a classification have more than one label."""
    task, examples = specimen.make(), sound(specimen)
    if not isinstance(task.judgement, CrossEntropy):
        raise Inapplicable("it is not a classification")
    labels = examples.labels[examples.train.bool()]
    if len(labels) >= 2 <= task.judgement.outputs and bool((labels == labels[0]).all()):
        raise Fault(
            "all training examples have the same label",
            "any model is right about them at once",
            "look at how labels are computed; an integer may have overflowed",
        )
