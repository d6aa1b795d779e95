"""What an architecture promises of the modules that it builds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture
from grokbench.plugins import describe
from grokbench.record import ModelSize, Status
from grokbench.tasks.base import Task
from grokbench.testing.conformance.checks import (
    Fault,
    Specimen,
    listed,
    must_be_none_or_words,
    promises,
)
from grokbench.testing.conformance.exercises import TORCH, Exercise, exercised
from grokbench.testing.conformance.global_state import disturb
from grokbench.testing.conformance.reference_tasks import reference_tasks
from grokbench.testing.conformance.small_models import (
    HIDDEN_SIZES,
    Setting,
    Shelf,
    Stack,
    buildable,
    served,
    settings,
    sizes,
)
from grokbench.training.loop import train
from grokbench.training.module_program import ModuleProgram
from grokbench.training.probe import why_not_stacked
from grokbench.training.random_state import torchs_generators


@exercised("architecture")
def building_and_calling(specimen: Specimen) -> Iterator[Exercise]:
    """Building comes first; calling follows where a module can be called."""
    every = buildable(specimen)
    for setting in every:
        yield Exercise(
            setting.architecture,
            f"building size {setting.size.label} on {setting.task.name}",
            lambda setting=setting: dict(tensors_of(setting.model())),  # type: ignore[misc]
            "draw initial weights from torch's global generator (torch.randn, nn.init) alone",
            lent=TORCH,
        )
    for setting in (one for one in every if one.works):
        for training in (True, False):
            yield calling(setting, training)


def calling(setting: Setting, training: bool) -> Exercise:
    """A call of one module; its buffers begin as they were."""
    model, examples = setting.model().train(training), setting.examples()
    arguments = setting.arguments(examples, examples.train if training else None)
    began = copy.deepcopy(model.state_dict())

    def act() -> dict[str, Tensor]:
        model.load_state_dict(began)
        return {"outputs": model(*arguments)}

    def given() -> dict[str, Tensor]:
        watched = dict(model.named_parameters()) if training else model.state_dict()
        return watched | {f"input {place}": one for place, one in enumerate(arguments)}

    return Exercise(
        setting.architecture,
        f"calling {setting} in {'training' if training else 'evaluation'}",
        act,
        "draw random numbers with torch, and only `if self.training`, as nn.Dropout does; keep "
        "state in buffers",
        given=given,
        lent=TORCH,
        drawn_from=TORCH if training else (),
    )


def tensors_of(model: nn.Module) -> list[tuple[str, Tensor]]:
    """A model's parameters and buffers, also those that its state_dict() leaves out."""
    return [*model.named_parameters(), *model.named_buffers()]


@promises("architecture")
def refuses_in_words(specimen: Specimen) -> None:
    """refuses() returns None, or says in words why a model is impossible."""
    architecture = specimen.make()
    hidden = sorted({*range(1, 20), *HIDDEN_SIZES})
    every = [ModelSize(size, layers) for layers in (1, 2) for size in hidden]
    for task in (*specimen.tasks, *reference_tasks()):
        answers = [architecture.refuses(task, size) for size in every]
        for size, answer in zip(every, answers, strict=True):
            must_be_none_or_words(answer, "refuses()", task.name)
            if answer != architecture.refuses(task, size):
                raise Fault(
                    f"refuses() gives two answers for {task.name}, one of them {answer!r}",
                    "a suite must be either valid or invalid",
                    "decide by the task, the size and the options alone",
                )


@promises("architecture")
def builds_what_it_does_not_refuse(specimen: Specimen) -> str:
    """Every task and size that refuses() accepts becomes a module with finite weights."""
    tried = []
    for setting in served(specimen):
        architecture, task = setting.architecture, setting.task
        several = [*sizes(architecture, task)[:4], *sizes(architecture, task, layers=2)[:1]]
        for size in several:
            weights = list(built(architecture, task, size).parameters())
            if not weights or not all(bool(weight.isfinite().all()) for weight in weights):
                raise Fault(
                    f"the module for {task.name} at size {size.label} has "
                    + ("weights that are not finite" if weights else "no parameters"),
                    "it cannot be trained",
                    "initialize every parameter",
                )
        tried.append(f"{task.name} at {', '.join(str(size.label) for size in several)}")
    return "; ".join(tried)


def built(architecture: Architecture, task: Task, size: ModelSize) -> nn.Module:
    """A module, or the fault that refuses() should have foreseen."""
    try:
        with torchs_generators(torch.device("cpu"), "it"):
            model = architecture.build(size, task)
        copy.deepcopy(model)
    except (Exception, SystemExit) as error:
        raise Fault(
            f"build() raises {describe(error)} for {task.name} at size {size.label}",
            "refuses() accepts it, so a suite would be accepted and its runs would fail",
            "say in refuses() what cannot be built, or build a module that can be copied",
        ) from error
    if not isinstance(model, nn.Module):
        raise Fault(
            f"build() gives {type(model).__name__}",
            "the trainer stacks modules",
            "return a torch.nn.Module",
        )
    return model


@promises("architecture")
def gives_an_output_for_each_answer(specimen: Specimen) -> None:
    """Outputs are [examples, outputs], finite and differentiable, for one example and for many."""
    for setting in buildable(specimen):
        examples, model = setting.examples(), setting.model().eval()
        for count in (len(examples.inputs), 1):
            rows = torch.arange(len(examples.inputs)) < count
            outputs = model(*setting.arguments(examples, rows))
            wanted = [count, setting.task.judgement.outputs]
            if not isinstance(outputs, Tensor) or list(outputs.shape) != wanted:
                found = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)
                raise Fault(
                    f"forward() gives {found} ({setting})",
                    f"{count} examples with {wanted[1]} outputs each are {wanted}",
                    "end with a layer of task.judgement.outputs units",
                )
            if not outputs.requires_grad:
                raise Fault(
                    f"outputs have no gradient ({setting})",
                    "nothing would be learned",
                    "do not detach them, and do not compute them under torch.no_grad()",
                )
            if not bool(outputs.isfinite().all()):
                raise Fault(
                    f"outputs are not finite before any training ({setting})",
                    "the run would count as diverged",
                    "scale the initial weights",
                )


@promises("architecture")
def grows_with_model_size(specimen: Specimen) -> None:
    """More units have more parameters, and so have more layers."""
    for setting in buildable(specimen):
        architecture, task = setting.architecture, setting.task
        wide = sizes(architecture, task)
        deep = [ModelSize(size.hidden_size, 2) for size in wide]
        deep = [size for size in deep if architecture.refuses(task, size) is None]
        chains = [wide[:4], *([ModelSize(size.hidden_size), size] for size in deep[:1])]
        for smaller, larger in (pair for chain in chains for pair in pairwise(chain)):
            models = [built(architecture, task, size) for size in (smaller, larger)]
            few, many = (sum(weight.numel() for weight in one.parameters()) for one in models)
            if not few < many:
                raise Fault(
                    f"size {smaller.label} has {few} parameters and size {larger.label} has {many} "
                    f"({task.name})",
                    "curves over model size would show the same model twice",
                    "use size.hidden_size and size.layers, or refuse what they cannot be",
                )


@promises("architecture")
def another_seed_other_weights(specimen: Specimen) -> None:
    """Seeds differ in their initial weights."""
    for setting in buildable(specimen):
        first, other = (dict(tensors_of(setting.model(seed))) for seed in range(2))
        if all(torch.equal(first[name], other[name]) for name in first):
            raise Fault(
                f"seeds 0 and 1 have the same weights ({setting})",
                "an interval counts each seed as independent",
                "draw initial weights, and do not seed the generator yourself",
            )


@promises("architecture")
def does_not_seed_torch(specimen: Specimen) -> None:
    """forward() leaves torch's generator where its own draws take it."""
    for setting in settings(specimen):
        for training in (True, False):
            exercise, ends = calling(setting, training), []
            for state in range(2):
                disturb(state)
                exercise.act()
                ends.append(torch.get_rng_state())
            if torch.equal(*ends):
                raise Fault(
                    f"forward() seeds torch's generator ({setting})",
                    "every step of every run would draw the same numbers",
                    "remove torch.manual_seed; the trainer seeds the generator for each run",
                )


@promises("architecture")
def answers_each_example_alone(specimen: Specimen) -> str | None:
    """In evaluation, an example's outputs do not depend on the other examples."""
    mixes = False
    for setting in settings(specimen):
        examples = setting.examples()
        some = torch.arange(len(examples.inputs)) % 3 == 0
        for training in (False, True):
            outputs = []
            for rows in (None, some):
                model = setting.model().train(training)
                torch.manual_seed(0)
                outputs.append(model(*setting.arguments(examples, rows)))
            whole, part = outputs
            apart = float((whole[some] - part).abs().max())
            if apart <= 1e-9 * max(1.0, float(whole.abs().max())):
                continue
            if not training:
                raise Fault(
                    f"an example's outputs change by {apart:.2g} with the examples beside it "
                    f"({setting})",
                    "training and validation examples are evaluated together and would help "
                    "each other",
                    "use statistics of the batch only `if self.training`, as nn.BatchNorm1d does",
                )
            mixes = True
    return "in training it mixes examples or draws (batch norm, dropout)" if mixes else None


@promises("architecture")
def trains_as_its_module_does(specimen: Specimen) -> str:
    """However runs are trained, gradients and outputs are those of the plain module in float64."""
    told: dict[str, list[str]] = {}
    for setting in settings(specimen):
        stack = Stack.of(setting)
        task, architecture = setting.task, setting.architecture
        reason = why_not_stacked(stack.models, architecture, task.judgement, stack.batches[0])
        for stacked in (False,) if reason else (False, True):
            program = ModuleProgram(
                stack.models,
                architecture.takes_part,
                task.judgement,
                *stack.batches,
                stacked=stacked,
                noise=stack.noise,
            )
            stack.compare(program, "the stack" if stacked else "the trainer")
        how = f"one after the other, because {reason}" if reason else "at once"
        if own := architecture.program(stack.built, task.judgement, *stack.batches):
            how = "at once, by its own program"
            stack.compare(own, "its program")
            stack.compare(own, "its program, asked again,")
        told.setdefault(how, []).append(task.name)
    return "; ".join(f"{how} ({', '.join(tasks)})" for how, tasks in told.items())


@promises("architecture")
def gradients_reach_every_parameter(specimen: Specimen) -> str | None:
    """Everything that is trained is a parameter of the module, and its gradient is not changed."""
    told = []
    for setting in settings(specimen):
        model, examples = setting.model().train(), setting.examples()
        parameters = dict(model.named_parameters())
        own = {id(parameter) for parameter in parameters.values()}
        outputs = model(*setting.arguments(examples, examples.train))
        if strays := [list(leaf.shape) for leaf in leaves(outputs) if id(leaf) not in own]:
            raise Fault(
                f"outputs depend on tensors {listed(strays)} that want a gradient and are no "
                f"parameters of the module ({setting})",
                "they would not be trained, moved to the device or stored",
                "write nn.Parameter as an attribute, nn.ParameterList or nn.ModuleList for a list; "
                "or a buffer, which wants no gradient",
            )
        hooks = ("_backward_hooks", "_post_accumulate_grad_hooks")
        if hooked := [n for n, p in parameters.items() if any(getattr(p, h, None) for h in hooks)]:
            raise Fault(
                f"{listed(hooked)} has a hook on its gradient ({setting})",
                "runs are trained in a stack, whose parameters are other tensors without the hook",
                "change what forward() computes, such as (x - x.detach()) * factor + x.detach(), "
                "or write requires_grad_(False) for what is not to be trained",
            )
        gradient, _ = Stack.of(setting).plain_run(0)
        idle = sorted(name for name, value in gradient.items() if not bool(value.any()))
        if len(idle) == len(gradient):
            raise Fault(
                f"no parameter has a gradient ({setting})",
                "nothing would be learned",
                "let outputs depend on the parameters",
            )
        if idle:
            told.append(f"no gradient reaches {listed(idle)} ({setting})")
    return "; ".join(told) or None


def leaves(outputs: Tensor) -> list[Tensor]:
    """The tensors in which differentiating would leave a gradient."""
    found, seen, waiting = [], set(), [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting.extend(function for function, _ in node.next_functions)
    return found


@promises("architecture")
def a_run_is_the_same_in_any_company(specimen: Specimen) -> None:
    """Runs train to the last step, and each as if it trained alone."""
    for setting in settings(specimen):
        plugins, runs = Shelf.of(setting.task, setting.architecture), setting.runs()
        for run, record in zip(runs, train(runs, plugins), strict=True):
            if record.status is not Status.DONE:
                raise Fault(
                    f"training {record.status.name.lower()}: {record.message} ({setting})",
                    "a model must survive four small steps of AdamW",
                    "let forward() take a batch of any length, and float64 throughout",
                )
            [alone] = train([run], plugins)
            for name, curve in record.curves.items():
                if not np.allclose(curve, alone.curves[name], rtol=1e-5, atol=1e-6, equal_nan=True):
                    raise Fault(
                        f"{name} of seed {run.seed} changes when other runs train beside it "
                        f"({setting})",
                        "a run's identity does not name the other runs",
                        "keep no state that modules share (a class attribute, a global)",
                    )
