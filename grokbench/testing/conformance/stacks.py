"""Small stacks of an architecture's models, and the plain PyTorch that they are held against."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from grokbench.architectures.base import Architecture, Batch, Program, Views
from grokbench.definition import Definition
from grokbench.optimizers import AdamW
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize, Recipe, Run
from grokbench.tasks.base import Examples, Task
from grokbench.tasks.judging import CrossEntropy, Judgement, SquaredError
from grokbench.testing.conformance.checks import Fault, Inapplicable, Specimen, listed, once
from grokbench.testing.conformance.reference_tasks import reference_tasks
from grokbench.training.stack import (
    Parameters,
    build_model,
    evaluation_batch,
    training_batch,
)

HIDDEN_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
RUNS = 3
AGREEMENT = 1e-10
"""How far, relatively, two exact computations may differ in float64."""


@dataclass(frozen=True)
class Shelf:
    """As much of `Plugins` as the trainer looks at, with a few definitions on it."""

    tasks: Mapping[str, type[Definition]]
    architectures: Mapping[str, type[Definition]]
    optimizers: Mapping[str, type[Definition]]
    measures: Mapping[str, type[Definition]] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, architecture: Architecture) -> Plugins:
        shelf = cls(
            {task.name: type(task)},
            {architecture.name: type(architecture)},
            {AdamW.name: AdamW},
        )
        return cast(Plugins, shelf)


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
        try:
            copy.deepcopy(self.model())
        except (Exception, SystemExit):  # noqa: BLE001 (a plugin may raise anything)
            return False
        return True

    @cached_property
    def works(self) -> bool:
        """Whether a module can also be called, and gives what can be judged."""
        try:
            model, examples = copy.deepcopy(self.model()), self.examples()
            given = self.arguments(examples)
            outputs = [model.train(training)(*given) for training in (True, False)]
        except (Exception, SystemExit):  # noqa: BLE001 (a plugin may raise anything)
            return False
        shape = (len(examples.inputs), self.task.judgement.outputs)
        return all(one.shape == shape and one.requires_grad for one in outputs)

    @cached_property
    def data_sizes(self) -> tuple[int, ...]:
        """Three that the task allows: a stack pads the shorter to the longest."""
        allowed = [size for size in range(1, 65) if self.task.check(size) is None]
        wanted = (20, 12, 20)
        return tuple(min(allowed, key=lambda size, near=near: abs(size - near)) for near in wanted)  # type: ignore[misc]

    def runs(self, **recipe: Any) -> list[Run]:
        """One for each data size, no two alike in seed."""
        fields: dict[str, Any] = {
            "optimizer": Choice("adamw", {"epsilon": 1e-4}),
            "steps": 4,
            "evaluate_every": 2,
            "precision": "float64",
            **recipe,
        }
        return [
            Run(
                chosen(self.task),
                chosen(self.architecture),
                self.size,
                data_size,
                seed,
                Recipe(**fields),
            )
            for seed, data_size in enumerate(self.data_sizes)
        ]

    def model(self, seed: int = 0, precision: str = "float64") -> nn.Module:
        """As the trainer builds it."""
        run = self.runs(precision=precision)[seed]
        return build_model(run, self.architecture, self.task)

    def examples(self, seed: int = 0) -> Examples:
        return self.task.examples(self.data_sizes[seed], Streams(seed))

    def arguments(self, examples: Examples, rows: Tensor | None = None) -> tuple[Tensor, ...]:
        """What `forward` is given, in float64 where it is floating."""
        every = torch.ones_like(examples.train, dtype=torch.bool) if rows is None else rows
        inputs = examples.inputs[every]
        shown = inputs.double() if inputs.is_floating_point() else inputs
        return (shown, examples.part[every]) if self.architecture.takes_part else (shown,)


def chosen(definition: Definition) -> Choice:
    options = definition.options.model_dump(mode="json", by_alias=True)
    return Choice(definition.name, options, definition.version)


def served(specimen: Specimen) -> list[Setting]:
    """For each task that the architecture does not refuse, its smallest size.

    Raises:
        Fault: it refuses all.
    """
    architecture = specimen.make()
    tasks = (*specimen.tasks, *reference_tasks())
    found = [
        Setting(architecture, task, size)
        for task in tasks
        for size in sizes(architecture, task)[:1]
    ]
    if not found:
        answer = architecture.refuses(tasks[0], ModelSize(HIDDEN_SIZES[-1]))
        raise Fault(
            f"it refuses every task there is to try it on ({listed([t.name for t in tasks])}): "
            f"{answer}",
            "nothing of it can be examined",
            "register a task beside it, or name one: checks_for(…, tasks=[MyTask()])",
        )
    return found


def buildable(specimen: Specimen) -> list[Setting]:
    """Those of `served` whose module can be built.

    Raises:
        Inapplicable: there are none, which other checks report.
    """
    with once("builds_what_it_does_not_refuse"):
        every = served(specimen)
    if found := [setting for setting in every if setting.builds]:
        return found
    raise Inapplicable("see builds_what_it_does_not_refuse")


def settings(specimen: Specimen) -> list[Setting]:
    """Those of `buildable` whose module can be called, too.

    Raises:
        Inapplicable: there are none, which other checks report.
    """
    if found := [setting for setting in buildable(specimen) if setting.works]:
        return found
    raise Inapplicable("see gives_an_output_for_each_answer")


def sizes(architecture: Architecture, task: Task, layers: int = 1) -> list[ModelSize]:
    """The sizes of so many layers that it does not refuse for a task."""
    every = [ModelSize(hidden, layers) for hidden in HIDDEN_SIZES]
    return [size for size in every if architecture.refuses(task, size) is None]


@dataclass(frozen=True, eq=False)
class Stack:
    """Three models side by side, their weights a little off what they were built with."""

    setting: Setting
    built: nn.Module
    models: Sequence[nn.Module]
    examples: Sequence[Examples]

    @classmethod
    def of(cls, setting: Setting) -> Stack:
        models = [setting.model(seed) for seed in range(RUNS)]
        examples = [setting.examples(seed) for seed in range(RUNS)]
        generator = torch.Generator().manual_seed(0)
        built = copy.deepcopy(models[0])
        with torch.no_grad():
            for parameter in (p for model in models for p in model.parameters()):
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise, alpha=0.1)
        return cls(setting, built, models, examples)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters.of(self.models, torch.device("cpu"))

    @cached_property
    def batches(self) -> tuple[Batch, Batch]:
        """The training examples, and all examples."""
        like = torch.zeros(1, dtype=torch.float64)
        return training_batch(self.examples, like), evaluation_batch(self.examples, like)

    def noise(self, run: int) -> int:
        """The seed of what a run's module draws while it trains, as the trainer has it."""
        return Streams(self.setting.runs()[run].seed).key("noise")

    def plain(self, run: int) -> tuple[dict[str, Tensor], Tensor]:
        """One run's gradient by name, and outputs, as anyone would compute them in PyTorch."""
        setting, examples = self.setting, self.examples[run]
        model = copy.deepcopy(self.models[run]).train()
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch.Generator().manual_seed(self.noise(run)).get_state())
            outputs = model(*setting.arguments(examples, examples.train))
        labels = examples.labels[examples.train]
        backward(setting.task.judgement, outputs, labels)
        gradient = {
            name: torch.zeros_like(value) if value.grad is None else value.grad
            for name, value in model.named_parameters()
            if value.requires_grad
        }
        with torch.no_grad():
            return gradient, model.eval()(*setting.arguments(examples))

    def compare(self, program: Program, whose: str) -> None:
        """Hold a program's gradients and outputs against the plain ones.

        Raises:
            Fault: it writes to parameters, leaves gradients as they were, or gives others.
        """
        flat = self.parameters.flat.clone()
        views: Views = self.parameters.views(flat)
        gradients = self.parameters.views(torch.full_like(flat, torch.nan))
        program.gradient(views, gradients)
        outputs = program.outputs(views)
        if not torch.equal(flat, self.parameters.flat):
            raise Fault(
                f"{whose} changes the parameters ({self.setting})",
                "only the optimizer does",
                "write results into `gradients`, and to nothing else",
            )
        if left := [name for name, one in gradients.items() if bool(one.isnan().any())]:
            raise Fault(
                f"{whose} adds to the gradient of {listed(left)}, or leaves it ({self.setting})",
                "gradients hold those of the step before",
                "overwrite them all: gradients[name].copy_(…)",
            )
        for run in range(RUNS):
            expected, answers = self.plain(run)
            for name, value in expected.items():
                agree(gradients[name][run], value, f"{whose}'s gradient of {name}", self.setting)
            found = outputs[run, : len(answers)]
            agree(found, answers, f"{whose}'s outputs", self.setting)


def agree(found: Tensor, expected: Tensor, what: str, setting: Setting) -> None:
    if found.shape != expected.shape:
        raise Fault(
            f"{what} are {list(found.shape)} ({setting})",
            f"the plain module's are {list(expected.shape)}",
            "give each run's for its own examples, in their order",
        )
    apart = (found - expected).abs().max().item()
    allowed = AGREEMENT * max(1.0, expected.abs().max().item())
    if not apart <= allowed:
        raise Fault(
            f"{what} is off by {apart:.2g} ({setting})",
            f"in float64 it may differ from the plain module's by {allowed:.0g}",
            "compute exactly what the module computes, for whatever parameters it is given",
        )


def backward(judgement: Judgement, outputs: Tensor, labels: Tensor) -> None:
    """Differentiate the mean loss, by torch's own losses where it has them."""
    if isinstance(judgement, CrossEntropy):
        functional.cross_entropy(outputs, labels).backward()  # type: ignore[no-untyped-call]
    elif isinstance(judgement, SquaredError):
        functional.mse_loss(outputs, labels.to(outputs)).backward()  # type: ignore[no-untyped-call]
    else:
        share = outputs.new_full((len(outputs),), 1 / len(outputs))
        outputs.backward(judgement.gradient(outputs.detach(), labels, share))  # type: ignore[no-untyped-call]
