"""What a measure promises of the numbers that it reads off a model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from grokbench.architectures import Dense
from grokbench.errors import PluginError
from grokbench.measures.base import Measure, Snapshot
from grokbench.plugins import describe
from grokbench.schema import RESERVED
from grokbench.testing.conformance.checks import (
    Fault,
    Inapplicable,
    Specimen,
    listed,
    once,
    promises,
)
from grokbench.testing.conformance.global_state import RANDOM, SWITCHES, changed, disturb
from grokbench.testing.conformance.reference_tasks import reference_tasks
from grokbench.testing.conformance.stacks import Setting, sizes
from grokbench.training.measuring import numbers
from grokbench.training.random_state import torchs_generators

ALIKE = 1e-6
"""How far, relatively, the same numbers in float64 may differ when examples come in another order."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A measure, and a model that it does not refuse."""

    measure: Measure
    setting: Setting

    def __str__(self) -> str:
        return f"{self.setting.architecture.name} of {self.setting}"

    def snapshot(self, seed: int = 0, precision: str = "float64") -> Snapshot:
        """A model as it is built, in evaluation."""
        setting = self.setting
        model, examples = setting.model(seed, precision).eval(), setting.examples(seed)
        weights = {name: value.detach().clone() for name, value in model.named_parameters()}
        like = next(iter(weights.values()))
        arguments = tuple(
            one.to(like) if one.is_floating_point() else one for one in setting.arguments(examples)
        )
        with torch.no_grad():
            outputs = model(*arguments)
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        return Snapshot(0, setting.size, weights, outputs, examples, arguments, buffers, model)

    def given(self, snapshot: Snapshot) -> Any:
        """What the measure gives, called as the trainer calls it."""
        with torch.no_grad(), torchs_generators(torch.device("cpu"), "it"):
            torch.manual_seed(0)
            return self.measure.measure(snapshot)

    def numbers(self, snapshot: Snapshot) -> list[float]:
        """The same, in the order of its quantities.

        Raises:
            Inapplicable: it cannot be had, which is a fault that another check finds.
        """
        with once("gives_a_number_for_each_quantity"):
            return numbers(self.measure, self.given(snapshot))


@promises("measure")
def refuses_in_words(specimen: Specimen) -> str:
    """refuses() gives None, or says in words why a model cannot be measured; and not to all."""
    measure, served = specimen.make(), []
    for setting in every_setting(specimen):
        answer = measure.refuses(setting.task, setting.architecture, setting.size)
        if answer is None:
            served.append(str(Reading(measure, setting)))
        elif not (isinstance(answer, str) and answer.strip()):
            raise Fault(
                f"refuses() gives {answer!r} for {setting}",
                "it is shown to whoever wrote the suite",
                "return None, or a sentence that says what can be had",
            )
    if not served:
        raise Fault(
            f"it refuses every model there is to try it on: {answer}",
            "nothing of it can be examined",
            "register a task and an architecture beside it, or name them: "
            "checks_for(…, tasks=[MyTask()], architectures=[MyArchitecture()])",
        )
    return listed(served)


def every_setting(specimen: Specimen) -> list[Setting]:
    """Models of every architecture that there is to try it on, two sizes each."""
    architectures = (*specimen.architectures, Dense())
    found = []
    for architecture in architectures:
        for task in (*specimen.tasks, *reference_tasks()):
            found += [
                Setting(architecture, task, size) for size in sizes(architecture, task)[2:7:4]
            ]
    return [setting for setting in found if setting.builds and setting.works]


def readings(specimen: Specimen) -> list[Reading]:
    """A measure for each model that it does not refuse.

    Raises:
        Inapplicable: there is none.
    """
    measure = specimen.make()
    with once("refuses_in_words"):
        found = [
            Reading(measure, one)
            for one in every_setting(specimen)
            if measure.refuses(one.task, one.architecture, one.size) is None
        ]
    if not found:
        raise Inapplicable("see refuses_in_words")
    return found


@promises("measure")
def gives_a_number_for_each_quantity(specimen: Specimen) -> str | None:
    """measure() gives one number for each of its quantities, in every precision, not always NaN."""
    measure: Measure = specimen.make()
    if taken := sorted({f"{measure.name}_{name}" for name in measure.quantities} & RESERVED):
        raise Fault(
            f"it would record {listed(taken)}, which is recorded already",
            "a suite that asks for it has a mistake, and cannot be run",
            "give the measure or the quantity another name",
        )
    seen: dict[str, bool] = {}
    for reading in readings(specimen):
        for precision in ("float64", "float32"):
            try:
                found = numbers(reading.measure, reading.given(reading.snapshot(0, precision)))
            except PluginError as error:
                what, _, instead = str(error).partition("; ")
                raise Fault(
                    f"{what} ({reading}, {precision})",
                    "there would be nothing to store, and the run would fail",
                    instead,
                ) from error
            for name, value in zip(reading.measure.quantities, found, strict=True):
                seen[name] = seen.get(name, False) or not isnan(value)
    if empty := [name for name, there in seen.items() if not there]:
        raise Fault(
            f"{listed(empty)} of an untrained model is NaN in all there is to try it on",
            "nobody could see whether it measures anything",
            "give a number for every model that refuses() lets pass, or refuse more",
        )
    return None


@promises("measure")
def bears_a_diverged_run(specimen: Specimen) -> None:
    """A model that is not finite any more is measured without an error, as NaN or otherwise."""
    for reading in readings(specimen):
        snapshot = reading.snapshot()
        weights = {name: torch.full_like(one, torch.nan) for name, one in snapshot.weights.items()}
        lost = replace(
            snapshot, weights=weights, outputs=torch.full_like(snapshot.outputs, torch.nan)
        )
        reading.numbers(snapshot)
        try:
            with strict_distributions():
                numbers(reading.measure, reading.given(lost))
        except (Exception, SystemExit) as error:
            raise Fault(
                f"where weights are NaN it raises {describe(error)} ({reading})",
                "a run that diverges would be recorded as crashed, and the runs beside it be "
                "trained again",
                "return NaN where `not snapshot.outputs.isfinite().all()`, and let torch's "
                "distributions check nothing (validate_args=False)",
            ) from error


@contextmanager
def strict_distributions() -> Iterator[None]:
    """Within it torch's distributions check what they are given; torch.compile() makes them stop."""
    former = Distribution._validate_args
    Distribution.set_default_validate_args(True)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(former)


@promises("measure")
def same_model_same_numbers(specimen: Specimen) -> None:
    """Numbers depend on the snapshot alone: not on what was measured before, nor on global state."""
    for reading in readings(specimen):
        disturb(1)
        first = reading.numbers(reading.snapshot())
        reading.numbers(reading.snapshot(1))
        disturb(2)
        again = reading.numbers(reading.snapshot())
        if differing := differences(reading, first, again):
            raise Fault(
                f"{differing} when the same model is measured again ({reading})",
                "a run could not be repeated",
                "keep nothing from one call to the next, and draw random numbers with torch alone",
            )


@promises("measure")
def order_of_examples_does_not_matter(specimen: Specimen) -> None:
    """Numbers do not depend on the order in which the task lists its examples."""
    for reading in readings(specimen):
        snapshot = reading.snapshot()
        order = torch.randperm(len(snapshot.outputs), generator=torch.Generator().manual_seed(0))
        examples = {name: value[order] for name, value in vars(snapshot.examples).items()}
        turned = replace(
            snapshot,
            outputs=snapshot.outputs[order],
            examples=replace(snapshot.examples, **examples),
            arguments=tuple(one[order] for one in snapshot.arguments),
        )
        before, after = reading.numbers(reading.snapshot()), reading.numbers(turned)
        if differing := differences(reading, before, after, ALIKE):
            raise Fault(
                f"{differing} when the examples come in another order ({reading})",
                "a task may list them as it likes",
                "find an example by its inputs, not by its place",
            )


@promises("measure")
def leaves_everything_as_it_was(specimen: Specimen) -> None:
    """It changes neither examples nor the module it is shown, nor global state."""
    switches = {name: one for name, one in SWITCHES.items() if name not in RANDOM}
    for reading in readings(specimen):
        snapshot = reading.snapshot()
        before = tensors(snapshot)

        def act(reading: Reading = reading, snapshot: Snapshot = snapshot) -> None:
            reading.numbers(snapshot)

        touched = changed(act, switches)
        for name, value in tensors(snapshot).items():
            if value.shape != before[name].shape or not torch.equal(value, before[name]):
                touched.append(name)
        if touched:
            raise Fault(
                f"measuring changes {listed(touched)} ({reading})",
                "they are used again at the next evaluation",
                "work on copies: snapshot.module() is one, and so are snapshot.weights",
            )


def tensors(snapshot: Snapshot) -> Mapping[str, Tensor]:
    """Copies of all that is shared between evaluations."""
    shared = {f"examples.{name}": value for name, value in vars(snapshot.examples).items()}
    shared |= {f"like.{name}": value for name, value in snapshot.like.state_dict().items()}
    return {name: copy.deepcopy(value.detach()) for name, value in shared.items()}


def differences(
    reading: Reading, first: list[float], second: list[float], tolerance: float = 0.0
) -> str:
    """Which quantities are not the same, and how they differ; empty when all are."""
    found = [
        f"{name} changes from {one:.6g} to {other:.6g}"
        for name, one, other in zip(reading.measure.quantities, first, second, strict=True)
        if not (abs(one - other) <= tolerance * max(1.0, abs(one)) or (isnan(one) and isnan(other)))
    ]
    return listed(found)
