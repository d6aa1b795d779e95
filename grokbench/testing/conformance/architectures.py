"""What an architecture promises of the modules it builds."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture
from grokbench.plugins import describe
from grokbench.record import ModelSize, Record, Status
from grokbench.tasks.base import Task
from grokbench.testing.conformance.another_process import digests, tensors_of, weights_elsewhere
from grokbench.testing.conformance.checks import Fault, Inapplicable, Specimen, listed, promises
from grokbench.testing.conformance.global_state import RANDOM, SWITCHES, changed, disturb, kept
from grokbench.testing.conformance.reference_tasks import reference_tasks
from grokbench.testing.conformance.stacks import (
    RUNS,
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

FORWARD = ("numpy's random state", "Python's random state")
"""What the trainer does not seed for each run; torch's it does."""

State = dict[str, Tensor]


@promises("architecture")
def refuses_in_words(specimen: Specimen) -> None:
    """refuses() gives None, or says in words why a model cannot be made."""
    architecture = specimen.make()
    for task in (*specimen.tasks, *reference_tasks()):
        for size in (*sizes(architecture, task), *sizes(architecture, task, layers=2)):
            answer = architecture.refuses(task, size)
            if answer is not None:
                raise Fault(
                    f"refuses() says {answer!r} to what it did not refuse before",
                    "a suite is valid or is not",
                    "decide by the task, the size and the options alone",
                )
        for hidden in range(1, 20):
            answer = architecture.refuses(task, ModelSize(hidden))
            if answer is not None and not (isinstance(answer, str) and answer.strip()):
                raise Fault(
                    f"refuses() gives {answer!r} for {task.name}",
                    "it is shown to whoever wrote the suite",
                    "return None, or a sentence that says what can be had",
                )


@promises("architecture")
def builds_what_it_does_not_refuse(specimen: Specimen) -> str:
    """Every task and size that refuses() lets pass becomes a module with finite weights."""
    tried = []
    for setting in served(specimen):
        architecture, task = setting.architecture, setting.task
        several = [*sizes(architecture, task)[:4], *sizes(architecture, task, layers=2)[:1]]
        for size in several:
            model = built(architecture, task, size)
            weights = list(model.parameters())
            if not weights or not all(bool(weight.isfinite().all()) for weight in weights):
                raise Fault(
                    f"the module for {task.name} at size {size.label} has "
                    + ("weights that are not finite" if weights else "no parameters"),
                    "there is nothing that can be trained",
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
            "refuses() lets it pass, so a suite would be accepted and its runs fail",
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
    """Outputs are [examples, outputs], finite, for one example and for many."""
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
                    "do not detach them, nor compute them under torch.no_grad()",
                )
            if not bool(outputs.isfinite().all()):
                raise Fault(
                    f"outputs are not finite before any training ({setting})",
                    "the run would count as diverged",
                    "scale the initial weights",
                )


@promises("architecture")
def grows_with_model_size(specimen: Specimen) -> str | None:
    """A larger hidden size has more parameters, and so have more layers."""
    for setting in buildable(specimen):
        architecture, task = setting.architecture, setting.task
        wide = sizes(architecture, task)
        deep = [size for size in sizes(architecture, task, layers=2) if one_layer(size) in wide]
        chains = [wide[:4], *([one_layer(size), size] for size in deep[:1])]
        for smaller, larger in (pair for chain in chains for pair in pairwise(chain)):
            counts = [count(built(architecture, task, size)) for size in (smaller, larger)]
            if not counts[0] < counts[1]:
                raise Fault(
                    f"size {smaller.label} has {counts[0]} parameters and "
                    f"size {larger.label} has {counts[1]} ({task.name})",
                    "curves over model size would show the same model twice",
                    "use size.hidden_size and size.layers, or refuse what they cannot be",
                )
    return None


def one_layer(size: ModelSize) -> ModelSize:
    return ModelSize(size.hidden_size)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@promises("architecture")
def same_seed_same_weights(specimen: Specimen) -> None:
    """Initial weights depend on torch's generator alone, which the trainer has seeded."""
    for setting in buildable(specimen):
        disturb(1)
        first = dict(tensors_of(setting.model()))
        disturb(2)
        again = dict(tensors_of(setting.model()))
        if names := [name for name in first if not torch.equal(first[name], again[name])]:
            raise Fault(
                f"{listed(names)} of seed 0 differ when built again ({setting})",
                "a run could not be repeated",
                "draw initial weights from torch's global generator (torch.randn, nn.init) alone",
            )
        other = dict(tensors_of(setting.model(1)))
        if all(torch.equal(first[name], other[name]) for name in first):
            raise Fault(
                f"seeds 0 and 1 have the same weights ({setting})",
                "seeds are what intervals rest on",
                "draw initial weights, and do not seed the generator yourself",
            )


@promises("architecture")
def same_weights_in_another_process(specimen: Specimen) -> None:
    """Initial weights are the same in another process, which orders its sets in another way."""
    setting = buildable(specimen)[0]
    here, again = (digests(tensors_of(setting.model())) for _ in range(2))
    if here != again:
        raise Inapplicable("see same_seed_same_weights")
    there = weights_elsewhere(setting)
    if here != there:
        names = [own[0] for own, other in zip(here, there, strict=False) if own != other]
        raise Fault(
            f"{listed(names) or 'the number of tensors'} of seed 0 differ when another process builds it ({setting})",
            "a run could not be repeated, nor one half of a suite trained elsewhere",
            "make parameters in an order of their own: write sorted(…) around a set, and no hash()",
        )


@promises("architecture")
def leaves_global_state_alone(specimen: Specimen) -> None:
    """Building and calling a module changes nothing but torch's generator, which is lent to it."""
    own = "torch's random state"
    switches = {name: switch for name, switch in SWITCHES.items() if name != own}
    with kept():
        every = settings(specimen)
    disturb(3)
    for setting in every:

        def act(setting: Setting = setting) -> None:
            model, examples = setting.model(), setting.examples()
            model(*setting.arguments(examples))

        if touched := changed(act, switches):
            raise Fault(
                f"building or calling it changes {' and '.join(touched)} ({setting})",
                "whatever else runs in the process would depend on it",
                "draw from torch alone and set no global switch",
            )


@promises("architecture")
def answers_are_the_same_each_time(specimen: Specimen) -> None:
    """In evaluation, the same weights and inputs give the same outputs."""
    for setting in settings(specimen):
        model, arguments = setting.model().eval(), setting.arguments(setting.examples())
        disturb(0)
        first = model(*arguments)
        for name in ("", *RANDOM):
            disturb(0)
            disturb(1, (name,))
            if not torch.equal(first, model(*arguments)):
                raise Fault(
                    f"in evaluation, outputs {differ_by(name)} ({setting})",
                    "an accuracy would depend on whatever ran before it",
                    "draw only `if self.training`, as nn.Dropout does, and keep nothing between "
                    "calls",
                )


def differ_by(generator: str) -> str:
    return f"depend on {generator}" if generator else "change from call to call"


@promises("architecture")
def trains_on_torchs_numbers_alone(specimen: Specimen) -> str | None:
    """What forward() draws while it trains comes from torch's generator."""
    drawing = False
    for setting in settings(specimen):
        draws_on(setting)
        model, examples = setting.model().train(), setting.examples()
        arguments = setting.arguments(examples, examples.train)
        began = copy.deepcopy(model.state_dict())

        def outputs(
            name: str,
            model: nn.Module = model,
            arguments: tuple[Tensor, ...] = arguments,
            began: State = began,
        ) -> Tensor:
            model.load_state_dict(began)
            disturb(0)
            disturb(1, (name,))
            found: Tensor = model(*arguments)
            return found.detach()

        first = outputs("")
        for name in ("", *FORWARD):
            if not torch.equal(first, outputs(name)):
                raise Fault(
                    f"in training, outputs {differ_by(name)} ({setting})",
                    "the trainer gives each run its own state of torch's generator, and of no "
                    "other; a run could not be repeated",
                    "draw with torch (torch.rand, nn.Dropout), and keep state in buffers",
                )
        drawing |= not torch.equal(first, outputs("torch's random state"))
    if drawing:
        return "it draws random numbers while it trains, from a stream of each run's own"
    return None


def draws_on(setting: Setting) -> None:
    """See that the generator goes on, however it stands.

    Raises:
        Fault: it stands in one place after a call, wherever it stood before.
    """
    for training in (True, False):
        model, arguments = setting.model().train(training), setting.arguments(setting.examples())
        ends = []
        for state in range(2):
            disturb(state)
            model(*arguments)
            ends.append(torch.get_rng_state())
        if torch.equal(*ends):
            raise Fault(
                f"forward() seeds torch's generator ({setting})",
                "every step would draw the same numbers, and so would every run",
                "take torch.manual_seed out; the trainer has seeded the generator for each run",
            )


@promises("architecture")
def calling_changes_no_weights(specimen: Specimen) -> None:
    """forward() changes no parameter, nor its inputs, and in evaluation no buffer."""
    for setting in settings(specimen):
        examples = setting.examples()
        for training in (True, False):
            model = setting.model().train(training)
            watched = model.named_parameters() if training else model.state_dict().items()
            before = {name: value.detach().clone() for name, value in watched}
            given, shown = setting.arguments(examples), setting.arguments(examples)
            model(*shown)
            if not all(torch.equal(one, other) for one, other in zip(given, shown, strict=True)):
                raise Fault(
                    f"forward() writes into its inputs ({setting})",
                    "they are shown again at every step and evaluation, and are others each time",
                    "make a tensor of your own: inputs = inputs + 1, not inputs += 1",
                )
            after = model.state_dict()
            if names := [name for name in before if not torch.equal(before[name], after[name])]:
                when = "in training" if training else "in evaluation"
                raise Fault(
                    f"calling it changes {listed(names)} {when} ({setting})",
                    "a run would depend on how often it was looked at",
                    "leave parameters to the optimizer, and buffers to training",
                )


@promises("architecture")
def answers_each_example_alone(specimen: Specimen) -> str | None:
    """In evaluation, an example's outputs do not depend on those beside it."""
    mixes = False
    for setting in settings(specimen):
        examples = setting.examples()
        some = torch.arange(len(examples.inputs)) % 3 == 0
        for training in (False, True):
            model = setting.model().train(training)
            torch.manual_seed(0)
            whole = model(*setting.arguments(examples))
            model = setting.model().train(training)
            torch.manual_seed(0)
            part = model(*setting.arguments(examples, some))
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
    return "it answers otherwise in training than alone (dropout, batch norm)" if mixes else None


@promises("architecture")
def stacks_or_says_why(specimen: Specimen) -> str:
    """Whether runs train at once, by its own program or torch.func's, or one after the other."""
    told: dict[str, list[str]] = {}
    for setting in settings(specimen):
        stack = Stack.of(setting)
        train_batch, evaluation = stack.batches
        task, architecture = setting.task, setting.architecture
        if architecture.program(stack.built, task.judgement, train_batch, evaluation) is not None:
            how = "at once, by its own program"
        elif reason := why_not_stacked(stack.models, architecture, task.judgement, train_batch):
            how = f"one after the other, because {reason}"
        else:
            how = "at once"
        told.setdefault(how, []).append(task.name)
    return "; ".join(f"{how} ({', '.join(tasks)})" for how, tasks in told.items())


@promises("architecture")
def stacked_and_single_agree(specimen: Specimen) -> None:
    """Trained by torch.func or one by one, gradients and outputs are the plain module's."""
    for setting in settings(specimen):
        stack = Stack.of(setting)
        train_batch, evaluation = stack.batches
        task, architecture = setting.task, setting.architecture
        reason = why_not_stacked(stack.models, architecture, task.judgement, train_batch)
        for stacked in (False,) if reason else (False, True):
            program = ModuleProgram(
                stack.models,
                architecture.takes_part,
                task.judgement,
                train_batch,
                evaluation,
                stacked=stacked,
                noise=[stack.noise(run) for run in range(RUNS)],
            )
            stack.compare(program, "the stack" if stacked else "the trainer")


@promises("architecture")
def its_program_is_its_module(specimen: Specimen) -> None:
    """A faster program gives the gradients and outputs of the plain module, in float64."""
    found = False
    for setting in settings(specimen):
        stack = Stack.of(setting)
        program = setting.architecture.program(stack.built, setting.task.judgement, *stack.batches)
        if program is not None:
            found = True
            stack.compare(program, "its program")
            stack.compare(program, "its program, asked again,")
    if not found:
        raise Inapplicable("it offers no program of its own")


@promises("architecture")
def gradients_reach_every_parameter(specimen: Specimen) -> str | None:
    """What training changes, and what it never would."""
    told = []
    for setting in settings(specimen):
        nothing_is_trained_apart(setting)
        gradient, _ = Stack.of(setting).plain(0)
        wanted = {n for n, p in setting.model().named_parameters() if p.requires_grad}
        idle = sorted(n for n in wanted if not bool(gradient[n].any()))
        if len(idle) == len(wanted):
            raise Fault(
                f"no parameter has a gradient ({setting})",
                "nothing would be learned",
                "let outputs depend on the parameters",
            )
        if idle:
            told.append(f"no gradient reaches {listed(idle)} ({setting})")
    return "; ".join(told) or None


def nothing_is_trained_apart(setting: Setting) -> None:
    """See that gradients go to the module's parameters alone, and as they are.

    Raises:
        Fault: something else waits for a gradient, or a hook would change one.
    """
    model, examples = setting.model().train(), setting.examples()
    parameters = dict(model.named_parameters())
    own = {id(parameter) for parameter in parameters.values()}
    outputs = model(*setting.arguments(examples, examples.train))
    if strays := [list(leaf.shape) for leaf in leaves(outputs) if id(leaf) not in own]:
        raise Fault(
            f"outputs depend on tensors {listed(strays)} that want a gradient and are no "
            f"parameters of the module ({setting})",
            "they would never be trained, nor moved to the device, nor stored",
            "write nn.Parameter as an attribute, nn.ParameterList or nn.ModuleList for a list; "
            "or a buffer, which wants no gradient",
        )
    hooks = ("_backward_hooks", "_post_accumulate_grad_hooks")
    hooked = [n for n, one in parameters.items() if any(getattr(one, h, None) for h in hooks)]
    if hooked:
        raise Fault(
            f"{listed(hooked)} has a hook on its gradient ({setting})",
            "runs train in a stack, whose parameters are other tensors: it would never be called",
            "change what forward() computes, such as (x - x.detach()) * factor + x.detach(), or "
            "write requires_grad_(False) for what is not to be trained",
        )


def leaves(outputs: Tensor) -> list[Tensor]:
    """The tensors that differentiating would leave a gradient in."""
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
    """Runs train to the last step, and each as if it were alone."""
    for setting in settings(specimen):
        plugins, runs = Shelf.of(setting.task, setting.architecture), setting.runs()
        together = train(runs, plugins)
        for run, record in zip(runs, together, strict=True):
            ended(record, setting)
            [alone] = train([run], plugins)
            for name, curve in record.curves.items():
                if not np.allclose(curve, alone.curves[name], rtol=1e-5, atol=1e-6, equal_nan=True):
                    raise Fault(
                        f"{name} of seed {run.seed} is another when it trains beside others "
                        f"({setting})",
                        "a run's identity does not name its neighbours",
                        "keep no state that modules share (a class attribute, a global)",
                    )


def ended(record: Record, setting: Setting) -> None:
    if record.status is not Status.DONE:
        raise Fault(
            f"training {record.status.name.lower()}: {record.message} ({setting})",
            "four small steps of AdamW should do no harm",
            "let forward() take a batch of any length, and float64 throughout",
        )
