"""Small models of an architecture, and the plain PyTorch that they are compared with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
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
from grokbench.testing.conformance.checks import (
    Fault,
    Specimen,
    listed,
    reported_by,
)
from grokbench.testing.conformance.reference_tasks import reference_tasks
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch

HIDDEN_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
RUNS = 3
AGREEMENT = 1e-10
"""The largest relative difference between two exact computations in float64."""


@dataclass(frozen=True)
class Shelf:
    """The part of `Plugins` that the trainer uses, with one task, architecture and optimizer."""

    tasks: Mapping[str, type[Definition]]
    architectures: Mapping[str, type[Definition]]
    optimizers: Mapping[str, type[Definition]]
    measures: Mapping[str, type[Definition]] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, architecture: Architecture) -> Plugins:
        definitions = (type(task), type(architecture), AdamW)
        return cast(Plugins, cls(*({one.name: one} for one in definitions)))


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
        return succeeds(lambda: copy.deepcopy(self.model()))

    @cached_property
    def works(self) -> bool:
        """Whether a module can also be called, and its outputs can be judged and differentiated."""

        def call() -> bool:
            examples = self.examples()
            given, model = self.arguments(examples), copy.deepcopy(self.model())
            outputs = [model.train(training)(*given) for training in (True, False)]
            shape = (len(examples.inputs), self.task.judgement.outputs)
            return all(one.shape == shape and one.requires_grad for one in outputs)

        return succeeds(call)

    @cached_property
    def data_sizes(self) -> tuple[int, ...]:
        """One for each run, of two lengths: a stack pads the shorter to the longer."""
        allowed = [size for size in range(1, 65) if self.task.check(size) is None]
        large, small = (min(allowed, key=lambda size: abs(size - near)) for near in (20, 12))
        return large, small, large

    def runs(self, **recipe: Any) -> list[Run]:
        """A run for each data size, with seeds 0, 1, 2."""
        fields: dict[str, Any] = {
            "optimizer": Choice("adamw", {"epsilon": 1e-4}),
            "steps": 4,
            "evaluate_every": 2,
            "precision": "float64",
            **recipe,
        }
        task, architecture = chosen(self.task), chosen(self.architecture)
        return [
            Run(task, architecture, self.size, data_size, seed, Recipe(**fields))
            for seed, data_size in enumerate(self.data_sizes)
        ]

    def model(self, seed: int = 0, precision: str = "float64") -> nn.Module:
        """As the trainer builds it."""
        run = self.runs(precision=precision)[seed]
        return build_model(run, self.architecture, self.task)

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
    try:
        return act() is not False
    except (Exception, SystemExit):  # noqa: BLE001 (a plugin may raise anything)
        return False


def chosen(definition: Definition) -> Choice:
    options = definition.options.model_dump(mode="json", by_alias=True)
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
    architecture = specimen.make()
    tasks = (*specimen.tasks, *reference_tasks())
    found = [
        Setting(architecture, task, one) for task in tasks for one in sizes(architecture, task)[:1]
    ]
    if not found:
        answer = architecture.refuses(tasks[0], ModelSize(HIDDEN_SIZES[-1]))
        raise Fault(
            f"it refuses every task of the kit ({listed([t.name for t in tasks])}): {answer}",
            "nothing of it can be examined",
            "register a task beside it, or name one: checks_for(…, tasks=[MyTask()])",
        )
    return found


def buildable(specimen: Specimen) -> list[Setting]:
    """Those of `served` whose module can be built; an error is reported by another check."""
    with reported_by("builds_what_it_does_not_refuse"):
        return some([setting for setting in served(specimen) if setting.builds])


def settings(specimen: Specimen) -> list[Setting]:
    """Those of `buildable` whose module can be called; an error is reported by another check."""
    every = buildable(specimen)
    with reported_by("gives_an_output_for_each_answer"):
        return some([setting for setting in every if setting.works])


def some(found: list[Setting]) -> list[Setting]:
    if not found:
        raise ValueError("no module works")
    return found


@dataclass(frozen=True, eq=False)
class Stack:
    """Models of three runs, moved a little away from their initial weights."""

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

    @property
    def noise(self) -> list[int]:
        """For each run, the seed of what its module draws in training, as the trainer has it."""
        return [Streams(run.seed).key("noise") for run in self.setting.runs()]

    @cached_property
    def plain(self) -> list[tuple[dict[str, Tensor], Tensor]]:
        """`plain_run` of each run."""
        return [self.plain_run(run) for run in range(RUNS)]

    def plain_run(self, run: int) -> tuple[dict[str, Tensor], Tensor]:
        """One run's gradient by name, and its outputs, as plain PyTorch computes them."""
        setting, examples = self.setting, self.examples[run]
        model = copy.deepcopy(self.models[run]).train()
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch.Generator().manual_seed(self.noise[run]).get_state())
            outputs = model(*setting.arguments(examples, examples.train))
        backward(setting.task.judgement, outputs, examples.labels[examples.train])
        gradient = {
            name: torch.zeros_like(value) if value.grad is None else value.grad
            for name, value in model.named_parameters()
            if value.requires_grad
        }
        with torch.no_grad():
            return gradient, model.eval()(*setting.arguments(examples))

    def compare(self, program: Program, whose: str) -> None:
        """Compare a program's gradients and outputs with the plain ones.

        Raises:
            Fault: it changes parameters, does not overwrite gradients, or computes others.
        """
        flat = self.parameters.flat.clone()
        views: Views = self.parameters.views(flat)
        gradients = self.parameters.views(torch.full_like(flat, torch.nan))
        program.gradient(views, gradients)
        outputs = program.outputs(views)
        if not torch.equal(flat, self.parameters.flat):
            raise Fault(
                f"{whose} changes the parameters ({self.setting})",
                "only the optimizer may change them",
                "write results into `gradients`, and into nothing else",
            )
        if left := [name for name, one in gradients.items() if bool(one.isnan().any())]:
            raise Fault(
                f"{whose} adds to the gradient of {listed(left)}, or leaves it ({self.setting})",
                "gradients hold those of the step before",
                "overwrite them all: gradients[name].copy_(…)",
            )
        for run, (expected, answers) in enumerate(self.plain):
            for name, value in expected.items():
                self._agree(gradients[name][run], value, f"{whose}'s gradient of {name}")
            self._agree(outputs[run, : len(answers)], answers, f"{whose}'s outputs")

    def _agree(self, found: Tensor, expected: Tensor, what: str) -> None:
        alike = found.shape == expected.shape
        apart = (found - expected).abs().max().item() if alike else torch.inf
        allowed = AGREEMENT * max(1.0, expected.abs().max().item())
        if not apart <= allowed:
            seen = f"off by {apart:.2g}" if alike else f"of shape {list(found.shape)}"
            raise Fault(
                f"{what} is {seen} ({self.setting})",
                f"the plain module's is of shape {list(expected.shape)}, and in float64 it may "
                f"differ by {allowed:.0g}",
                "compute exactly what the module computes, for all parameters, with one row for "
                "each example in the given order",
            )


def backward(judgement: Judgement, outputs: Tensor, labels: Tensor) -> None:
    """Differentiate the mean loss, with torch's own losses where it has them."""
    if isinstance(judgement, CrossEntropy):
        functional.cross_entropy(outputs, labels).backward()  # type: ignore[no-untyped-call]
    elif isinstance(judgement, SquaredError):
        functional.mse_loss(outputs, labels.to(outputs)).backward()  # type: ignore[no-untyped-call]
    else:
        share = outputs.new_full((len(outputs),), 1 / len(outputs))
        outputs.backward(judgement.gradient(outputs.detach(), labels, share))  # type: ignore[no-untyped-call]
