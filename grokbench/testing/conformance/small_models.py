"""Small tasks, small models for them, and the plain PyTorch that programs are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from grokbench.architectures.base import Architecture, Program
from grokbench.architectures.copying import copied
from grokbench.definition import Definition
from grokbench.errors import PluginFailure
from grokbench.optimizers import AdamW
from grokbench.plugins import Plugins, guard
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.tasks import Mixture, ModularAddition
from grokbench.tasks.base import Examples, Features, Images, Task
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError
from grokbench.testing.conformance.checks import Specimen, listed, must, reported_by
from grokbench.training.models import build_model
from grokbench.training.single_modules import SingleModules
from grokbench.training.stack import Parameters, Stack

AGREEMENT = 1e-10
"""The largest relative difference between two exact computations in float64."""

HIDDEN_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)

COUNT, WIDTH = 40, 6
"""The number of the teacher's examples, and of their features."""


class Teacher(Task):
    """Two outputs of a linear teacher, from vectors of six features."""

    name = "teacher_of_the_kit"
    inputs: Features | Images = Features(WIDTH)
    judgement: Judgement = SquaredError(2)

    def check(self, data_size: int) -> str | None:
        return None if data_size <= COUNT else f"write at most {COUNT}"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        shape = self.inputs.shape
        inputs = torch.randn(COUNT, *shape, generator=streams("inputs"), dtype=torch.float32)
        taught = inputs.flatten(1) @ torch.randn(
            math.prod(shape), 2, generator=streams("teacher"), dtype=torch.float32
        )
        train = torch.arange(COUNT) < data_size
        part = torch.zeros(COUNT, dtype=torch.int64)
        return Examples(inputs, self.labels(taught), train, ~train, part, ~train)

    def labels(self, taught: Tensor) -> Tensor:
        return taught


class Sides(Teacher):
    """Which of the teacher's two outputs is larger."""

    name = "sides_of_the_kit"
    judgement = CrossEntropy(2)

    def labels(self, taught: Tensor) -> Tensor:
        return taught.argmax(1)


class Pictures(Sides):
    """The same of small images, whose height, width and channels differ."""

    name = "pictures_of_the_kit"
    inputs = Images(height=5, width=6, channels=2)


def tasks_for(specimen: Specimen) -> tuple[Task, ...]:
    """The specimen's; tokens, tokens in two parts, vectors with target values and with classes, images."""
    return (
        *specimen.tasks,
        ModularAddition.from_options({"modulus": 7}),
        Mixture.from_options({"modulus": 7, "memorization_size": 20}),
        Teacher(),
        Sides(),
        Pictures(),
    )


@dataclass(frozen=True, eq=False)
class Setting:
    """An architecture, a task that it does not refuse, and a size."""

    architecture: Architecture
    task: Task
    size: ModelSize

    def __str__(self) -> str:
        return f"size {self.size.label} on {self.task.name}"

    @cached_property
    def builds(self) -> bool:
        """Whether a module can be built and copied."""
        return succeeds(lambda: copied(self.model()))

    @cached_property
    def works(self) -> bool:
        """Whether a module can also be called, and its outputs can be judged and differentiated."""

        def call() -> bool:
            examples = self.examples()
            given, model = self.arguments(examples), self.model()
            outputs = [model.train(training)(*given) for training in (True, False)]
            shape = (len(examples.inputs), self.task.judgement.outputs)
            return all(one.shape == shape and one.requires_grad for one in outputs)

        return succeeds(call)

    @property
    def plugins(self) -> Plugins:
        """The part of `Plugins` that the trainer uses."""
        used = {"tasks": type(self.task), "architectures": type(self.architecture)}
        shelves = {kind: {one.name: one} for kind, one in used.items()}
        return cast(
            Plugins, SimpleNamespace(**shelves, optimizers={AdamW.name: AdamW}, measures={})
        )

    @cached_property
    def data_sizes(self) -> tuple[int, ...]:
        """One for each run, of two lengths: a stack pads the shorter to the longer."""
        allowed = [size for size in range(1, 65) if self.task.check(size) is None]
        large, small = (min(allowed, key=lambda size: abs(size - near)) for near in (20, 12))
        return large, small, large

    def runs(self, precision: str = "float64") -> list[Run]:
        """A run for each data size, with seeds 0, 1, 2."""
        optimizer = Choice("adamw", {"epsilon": 1e-4})
        recipe = Recipe(optimizer, steps=4, evaluate_every=2, precision=precision)
        task, architecture = chosen(self.task), chosen(self.architecture)
        return [
            Run(task, architecture, self.size, data_size, seed, recipe)
            for seed, data_size in enumerate(self.data_sizes)
        ]

    def model(self, seed: int = 0, precision: str = "float64") -> nn.Module:
        """As the trainer builds it."""
        return build_model(self.runs(precision)[seed], self.architecture, self.task)

    def examples(self, seed: int = 0) -> Examples:
        return self.task.examples(self.data_sizes[seed], Streams(seed))

    def arguments(self, examples: Examples, rows: Tensor | None = None) -> tuple[Tensor, ...]:
        """The arguments of `forward`: of all examples or of some rows, floating ones in float64."""
        every = torch.ones_like(examples.train, dtype=torch.bool) if rows is None else rows
        inputs = examples.inputs[every]
        shown = inputs.double() if inputs.is_floating_point() else inputs
        return (shown, examples.part[every]) if self.architecture.takes_part else (shown,)


def succeeds(act: Callable[[], object]) -> bool:
    """Whether it raises nothing, and does not return False."""
    with suppress(PluginFailure), guard("it", switches={}):
        return act() is not False
    return False


def chosen(definition: Definition) -> Choice:
    options: Any = definition.options.model_dump(mode="json", by_alias=True)
    return Choice(definition.name, options, definition.version)


def sizes(architecture: Architecture, task: Task, layers: int = 1) -> list[ModelSize]:
    """The sizes with this number of layers that the architecture does not refuse for a task."""
    every = [ModelSize(hidden, layers) for hidden in HIDDEN_SIZES]
    return [size for size in every if architecture.refuses(task, size) is None]


def served(specimen: Specimen) -> list[Setting]:
    """The smallest size for each task that the architecture does not refuse.

    Raises:
        Fault: it refuses all tasks.
    """
    architecture, tasks = specimen.make(), tasks_for(specimen)
    found = [
        Setting(architecture, task, one) for task in tasks for one in sizes(architecture, task)[:1]
    ]
    answer = architecture.refuses(tasks[0], ModelSize(HIDDEN_SIZES[-1]))
    must(
        found,
        f"it refuses every task of the kit ({listed([t.name for t in tasks])}): {answer}",
        "register a task beside it, or name one: checks_for(…, tasks=[MyTask()])",
    )
    return found


def settings(specimen: Specimen, *, called: bool = True) -> list[Setting]:
    """Those of `served` whose module can be built, and called; another check reports the others."""
    with reported_by("builds_what_it_does_not_refuse"):
        found = [setting for setting in served(specimen) if setting.builds]
        must(found, "no module can be built")
    if called:
        with reported_by("gives_an_output_for_each_answer"):
            found = [setting for setting in found if setting.works]
            must(found, "no module can be called")
    return found


Computed = tuple[dict[str, Tensor], Tensor]
"""A run's gradient by name, and its outputs."""


def moved(setting: Setting) -> Stack:
    """Three runs as the trainer makes them, moved a little away from their initial weights."""
    device, generator = torch.device("cpu"), torch.Generator().manual_seed(0)
    with reported_by("a_run_is_the_same_in_any_company"):
        stack = Stack.of(setting.runs(), setting.plugins, device)
    with torch.no_grad():
        for parameter in (p for model in stack.models for p in model.parameters()):
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise, alpha=0.1)
    return replace(stack, parameters=Parameters.of(stack.models, device))


def plain_run(setting: Setting, stack: Stack, run: int, batch: Tensor | None = None) -> Computed:
    """What plain PyTorch computes for one run, on all training examples or on some.

    Args:
        batch: [examples] int64, their places among the run's training examples.
    """
    examples, model = stack.examples[run], stack.rebuilt()[run].train()
    shown = examples.train.nonzero().squeeze(1)
    shown = shown if batch is None else shown[batch]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Streams(stack.runs[run].seed).key("noise"))
        outputs = model(*setting.arguments(examples, shown))
    backward(setting.task.judgement, outputs, examples.labels[shown])
    gradient = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in model.named_parameters()
        if value.requires_grad
    }
    with torch.no_grad():
        return gradient, model.eval()(*setting.arguments(examples))


def batches(stack: Stack) -> list[Tensor]:
    """Some of each run's training examples, in another order, and not as many in every run."""
    counts = [int(one.train.sum()) for one in stack.examples]
    return [torch.arange(n).flip(0)[: max(2, n // 2 - run % 2)] for run, n in enumerate(counts)]


def select(program: Program, chosen: Sequence[Tensor], like: Tensor) -> Program:
    """The program, shown these training examples of each run alone."""
    longest = max(map(len, chosen))
    rows = [torch.cat([one, one[:1].expand(longest - len(one))]) for one in chosen]
    weights = [(torch.arange(longest) < len(one)).double() / len(one) for one in chosen]
    program.select(torch.stack(rows), torch.stack(weights).to(like))
    return program


def backward(judgement: Judgement, outputs: Tensor, labels: Tensor) -> None:
    """Differentiate the mean loss, with torch's own losses where it has them."""
    if isinstance(judgement, CrossEntropy):
        functional.cross_entropy(outputs, labels).backward()  # type: ignore[no-untyped-call]
    elif isinstance(judgement, SquaredError):
        functional.mse_loss(outputs, labels.to(outputs)).backward()  # type: ignore[no-untyped-call]
    else:
        share = outputs.new_full((len(outputs),), 1 / len(outputs))
        outputs.backward(judgement.gradient(outputs.detach(), labels, share))  # type: ignore[no-untyped-call]


def compare(program: Program, stack: Stack, plain: list[Computed], whose: str, where: str) -> None:
    """A program's gradients and outputs are the plain ones, and overwrite what was there."""
    parameters, flat = stack.parameters, stack.parameters.flat.clone()
    gradients = parameters.views(torch.full_like(flat, torch.nan))
    program.gradient(parameters.by_name(flat), gradients)
    outputs = program.outputs(parameters.by_name(flat))
    # The trainer's own programs let a module write into its parameters, as torch does.
    must(
        isinstance(program, SingleModules) or torch.equal(flat, parameters.flat),
        f"{whose} changes the parameters ({where})",
        "write results into `gradients`, and into nothing else",
    )
    left = [name for name, one in gradients.items() if bool(one.isnan().any())]
    must(
        not left,
        f"{whose} adds to the gradient of {listed(left)}, or leaves it ({where})",
        "overwrite gradients, which are those of the step before: gradients[name].copy_(…)",
    )
    for run, (expected, answers) in enumerate(plain):
        pairs = {f"gradient of {name}": (gradients[name][run], expected[name]) for name in expected}
        pairs["outputs"] = outputs[run, : len(answers)], answers
        for name, (found, wanted) in pairs.items():
            what = f"{whose}'s {name} is"
            shapes = f"{list(found.shape)} and not {list(wanted.shape)}"
            must(found.shape == wanted.shape, f"{what} of shape {shapes} ({where})")
            apart = (found - wanted).abs().max().item()
            allowed = AGREEMENT * max(1.0, wanted.abs().max().item())
            must(apart <= allowed, f"{what} off by {apart:.2g}, more than {allowed:.0g} ({where})")
