"""What an architecture promises of the modules that it builds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture, Program
from grokbench.architectures.copying import copied
from grokbench.record import ModelSize, Status
from grokbench.tasks.base import Task
from grokbench.testing.conformance.checks import (
    Specimen,
    listed,
    must,
    must_be_none_or_words,
    must_work,
    promises,
)
from grokbench.testing.conformance.exercises import TORCH, Exercise, disturb
from grokbench.testing.conformance.small_models import (
    HIDDEN_SIZES,
    Setting,
    batches,
    compare,
    moved,
    plain_run,
    select,
    served,
    settings,
    sizes,
    tasks_for,
)
from grokbench.training.loop import train
from grokbench.training.probe import Probe
from grokbench.training.random_state import torchs_generators
from grokbench.training.single_modules import SingleModules
from grokbench.training.stacked_modules import StackedModules


def exercises(specimen: Specimen) -> Iterator[Exercise]:
    """Building comes first; calling follows where a module can be called."""
    every = settings(specimen, called=False)
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


@promises("architecture", why="the author of a suite reads it, and a suite is valid or invalid")
def refuses_in_words(specimen: Specimen) -> None:
    """refuses() returns None, or says in words why a model is impossible."""
    architecture = specimen.make()
    hidden = sorted({*range(1, 20), *HIDDEN_SIZES})
    every = [ModelSize(size, layers) for layers in (1, 2) for size in hidden]
    for task in tasks_for(specimen):
        answers = [architecture.refuses(task, size) for size in every]
        for size, answer in zip(every, answers, strict=True):
            call = f"refuses() for {task.name} at size {size.label}"
            must_be_none_or_words(call, answer, architecture.refuses(task, size))


@promises(
    "architecture",
    why="a suite is accepted where refuses() accepts, and its runs would fail",
    instead="say in refuses() what cannot be built, or build a module that can be copied",
)
def builds_what_it_does_not_refuse(specimen: Specimen) -> str:
    """Every task and size that refuses() accepts becomes a module with finite weights."""
    tried = []
    for setting in served(specimen):
        architecture, task = setting.architecture, setting.task
        several = [*sizes(architecture, task)[:4], *sizes(architecture, task, layers=2)[:1]]
        for size in several:
            where = f"for {task.name} at size {size.label}"
            weights = list(built(architecture, task, size).parameters())
            must(weights, f"the module {where} has no parameters", "initialize some")
            finite = all(bool(weight.isfinite().all()) for weight in weights)
            must(finite, f"the module {where} has weights that are not finite", "initialize all")
        tried.append(f"{task.name} at {', '.join(str(size.label) for size in several)}")
    return "; ".join(tried)


def built(architecture: Architecture, task: Task, size: ModelSize) -> nn.Module:
    """A module, or the fault that refuses() should have foreseen."""
    with (
        must_work(f"build() for {task.name} at size {size.label}"),
        torchs_generators(torch.device("cpu"), "it"),
    ):
        model = architecture.build(size, task)
    found = f"build() gives {type(model).__name__}"
    must(isinstance(model, nn.Module), found, "return a torch.nn.Module")
    with must_work(f"copying what build() gives for {task.name} at size {size.label}"):
        copied(model)
    return model


@promises("architecture", why="outputs are judged and differentiated, one row for each example")
def gives_an_output_for_each_answer(specimen: Specimen) -> None:
    """Outputs are [examples, outputs], finite and differentiable, for one example and for many."""
    for setting in settings(specimen, called=False):
        examples, model = setting.examples(), setting.model().eval()
        for count in (len(examples.inputs), 1):
            rows = torch.arange(len(examples.inputs)) < count
            outputs = model(*setting.arguments(examples, rows))
            wanted = [count, setting.task.judgement.outputs]
            found = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)
            must(
                found == wanted,
                f"forward() gives {found} and not {wanted} ({setting})",
                "end with a layer of task.judgement.outputs units",
            )
            must(
                outputs.requires_grad,
                f"outputs have no gradient ({setting})",
                "do not detach them, and do not compute them under torch.no_grad()",
            )
            must(
                outputs.isfinite().all(),
                f"outputs are not finite before any training ({setting})",
                "scale the initial weights",
            )


@promises(
    "architecture",
    why="curves over model size would show the same model twice",
    instead="use size.hidden_size and size.layers, or refuse what they cannot be",
)
def grows_with_model_size(specimen: Specimen) -> None:
    """More units have more parameters, and so have more layers."""
    for setting in settings(specimen, called=False):
        architecture, task = setting.architecture, setting.task
        wide = sizes(architecture, task)
        deep = [ModelSize(size.hidden_size, 2) for size in wide]
        deep = [size for size in deep if architecture.refuses(task, size) is None]
        chains = [wide[:4], *([ModelSize(size.hidden_size), size] for size in deep[:1])]
        for smaller, larger in (pair for chain in chains for pair in pairwise(chain)):
            models = [built(architecture, task, size) for size in (smaller, larger)]
            few, many = (sum(weight.numel() for weight in one.parameters()) for one in models)
            must(
                few < many,
                f"size {smaller.label} has {few} parameters and size {larger.label} has {many} "
                f"({task.name})",
            )


@promises(
    "architecture",
    why="an interval counts each seed as independent",
    instead="draw initial weights, and do not seed the generator yourself",
)
def another_seed_other_weights(specimen: Specimen) -> None:
    """Seeds differ in their initial weights."""
    for setting in settings(specimen, called=False):
        first, other = (dict(tensors_of(setting.model(seed))) for seed in range(2))
        same = all(torch.equal(first[name], other[name]) for name in first)
        must(not same, f"seeds 0 and 1 have the same weights ({setting})")


@promises(
    "architecture",
    why="every step of every run would draw the same numbers",
    instead="remove torch.manual_seed; the trainer seeds the generator for each run",
)
def does_not_seed_torch(specimen: Specimen) -> None:
    """forward() leaves torch's generator where its own draws take it."""
    for setting in settings(specimen):
        for training in (True, False):
            exercise, ends = calling(setting, training), []
            for state in range(2):
                disturb(state)
                exercise.act()
                ends.append(torch.get_rng_state())
            must(not torch.equal(*ends), f"forward() seeds torch's generator ({setting})")


@promises(
    "architecture",
    why="training and validation examples are evaluated together and would help each other",
    instead="use statistics of the batch only `if self.training`, as nn.BatchNorm1d does",
)
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
            alone = apart <= 1e-9 * max(1.0, float(whole.abs().max()))
            changes = f"an example's outputs change by {apart:.2g} with the examples beside it"
            must(alone or training, f"{changes} ({setting})")
            mixes |= not alone
    return "in training it mixes examples or draws (batch norm, dropout)" if mixes else None


@promises(
    "architecture",
    why="a result must not depend on how it was computed",
    instead="compute exactly what the module computes, for all parameters, with one row for each "
    "example in the given order",
)
def trains_as_its_module_does(specimen: Specimen) -> str:
    """However runs are trained, gradients and outputs are those of the plain module in float64."""
    told: dict[str, list[str]] = {}
    for setting in settings(specimen):
        stack, task, architecture = moved(setting), setting.task, setting.architecture
        plain = [plain_run(setting, stack, run) for run in range(len(stack.runs))]
        probe = Probe.of(stack)
        reason, unreached = probe.why_one_by_one, probe.unreached
        how = f"one after the other, because {reason}" if reason else "at once"
        programs: list[tuple[str, Program]] = [
            ("the trainer", SingleModules.of(stack, unreached=unreached))
        ]
        if not reason:
            programs += [("the stack", StackedModules.of(stack, unreached=unreached))]
        model = setting.model()
        if own := architecture.program(model, task.judgement, stack.train, stack.evaluation):
            how = "at once, by its own program"
            programs += [("its program", own), ("its program, asked again,", own)]
        for whose, program in programs:
            compare(program, stack, plain, whose, str(setting))
        chosen = batches(stack)
        plain = [plain_run(setting, stack, run, some) for run, some in enumerate(chosen)]
        shown: list[tuple[str, Program]] = [
            ("the trainer", SingleModules.of(stack, unreached=unreached))
        ]
        if not reason:
            shown += [("the stack", StackedModules.of(stack, unreached=unreached))]
        own = architecture.program(model, task.judgement, stack.train, stack.evaluation)
        if own and own.takes_batches:
            shown += [("its program", own)]
        for whose, program in shown:
            whose = f"with a batch, {whose}"
            with must_work(f"select() of {type(program).__name__}"):
                # Twice, as in two steps: the second batch takes the place of the first.
                select(program, [one - one.min() for one in chosen], stack.train.weights)
                if own is program:
                    by_name, flat = stack.parameters.by_name, stack.parameters.flat
                    program.gradient(by_name(flat), stack.parameters.views(flat.clone()))
                select(program, chosen, stack.train.weights)
            compare(program, stack, plain, whose, str(setting))
        told.setdefault(how, []).append(task.name)
    return "; ".join(f"{how} ({', '.join(tasks)})" for how, tasks in told.items())


@promises("architecture", why="what is not reached would not be trained, moved or stored")
def gradients_reach_every_parameter(specimen: Specimen) -> str | None:
    """Everything that is trained is a parameter of the module."""
    told = []
    for setting in settings(specimen):
        model, examples = setting.model().train(), setting.examples()
        parameters = dict(model.named_parameters())
        own = {id(parameter) for parameter in parameters.values()}
        outputs = model(*setting.arguments(examples, examples.train))
        strays = [list(leaf.shape) for leaf in leaves(outputs) if id(leaf) not in own]
        must(
            not strays,
            f"outputs depend on tensors {listed(strays)} that want a gradient and are no "
            f"parameters of the module ({setting})",
            "write nn.Parameter as an attribute, nn.ParameterList or nn.ModuleList for a list; "
            "or a buffer, which wants no gradient",
        )
        gradient, _ = plain_run(setting, moved(setting), 0)
        idle = sorted(name for name, value in gradient.items() if not bool(value.any()))
        must(
            len(idle) < len(gradient),
            f"no parameter has a gradient ({setting})",
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


@promises("architecture", why="a run's identity does not name the other runs")
def a_run_is_the_same_in_any_company(specimen: Specimen) -> None:
    """Runs train to the last step, and each as if it trained alone."""
    for setting in settings(specimen):
        plugins, runs = setting.plugins, setting.runs()
        for run, record in zip(runs, train(runs, plugins), strict=True):
            must(
                record.status is Status.DONE,
                f"training {record.status.name.lower()}: {record.message} ({setting})",
                "let forward() take a batch of any length, and float64 throughout",
            )
            [alone] = train([run], plugins)
            for name, curve in record.curves.items():
                must(
                    np.allclose(curve, alone.curves[name], rtol=1e-5, atol=1e-6, equal_nan=True),
                    f"{name} of seed {run.seed} changes when other runs train beside it "
                    f"({setting})",
                    "keep no state that modules share (a class attribute, a global)",
                )
