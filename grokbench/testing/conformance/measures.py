"""What a measure promises of the numbers that it reads off a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isnan
from unittest.mock import patch

import torch
from torch import Tensor
from torch.distributions import Distribution

from grokbench.architectures import Dense
from grokbench.errors import PluginError
from grokbench.measures.base import Measure, Snapshot
from grokbench.schema import RESERVED
from grokbench.testing.conformance.checks import (
    Inapplicable,
    Specimen,
    fault_of,
    listed,
    must,
    must_be_none_or_words,
    must_work,
    promises,
    reported_by,
)
from grokbench.testing.conformance.exercises import TORCH, Exercise
from grokbench.testing.conformance.small_models import Setting, sizes, tasks_for
from grokbench.training.measuring import numbers
from grokbench.training.random_state import torchs_generators

ALIKE = 1e-6
"""The largest relative difference that another order of examples may make in float64."""


@dataclass(frozen=True, eq=False)
class Measuring:
    """A measure, and a model that it does not refuse."""

    measure: Measure
    setting: Setting

    def __str__(self) -> str:
        return f"{self.setting.architecture.name} of {self.setting}"

    def snapshot(self, seed: int = 0, precision: str = "float64") -> Snapshot:
        """A model with its initial weights, in evaluation."""
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

    def values(self, snapshot: Snapshot) -> list[float]:
        """A number for each quantity, as the trainer has the measure give them."""
        with torch.no_grad(), torchs_generators(torch.device("cpu"), "it"):
            torch.manual_seed(0)
            return numbers(self.measure, self.measure.measure(snapshot))

    def sound(self, snapshot: Snapshot) -> dict[str, float]:
        """Quantity → number, for checks that do not report a lack of numbers."""
        with reported_by("gives_a_number_for_each_quantity"):
            return dict(zip(self.measure.quantities, self.values(snapshot), strict=True))

    def exercise(self, seed: int) -> Exercise:
        """Measuring a model; the next evaluation uses its examples and its module again."""
        shown = self.snapshot(seed)

        def given() -> dict[str, Tensor]:
            examples = {f"examples.{name}": one for name, one in vars(shown.examples).items()}
            return examples | {f"like.{name}": v for name, v in shown.like.state_dict().items()}

        return Exercise(
            self.measure,
            f"measuring {self}",
            lambda: self.sound(shown),
            "keep nothing from one call to the next, and draw random numbers with torch alone",
            given=given,
            lent=TORCH,
        )


@lru_cache(maxsize=16)
def every_setting(specimen: Specimen) -> list[Setting]:
    """Models of the specimen's architectures and of the dense transformer, in two sizes."""
    found = [
        Setting(architecture, task, size)
        for architecture in (*specimen.architectures, Dense())
        for task in tasks_for(specimen)
        for size in sizes(architecture, task)[2:7:4]
    ]
    return [setting for setting in found if setting.builds and setting.works]


def measurings(specimen: Specimen) -> list[Measuring]:
    """The measure with each model that it does not refuse.

    Raises:
        Inapplicable: it refuses all, which another check reports.
    """
    measure = specimen.make()
    with reported_by("refuses_in_words"):
        found = [
            Measuring(measure, one)
            for one in every_setting(specimen)
            if measure.refuses(one.task, one.architecture, one.size) is None
        ]
    if not found:
        raise Inapplicable("see refuses_in_words")
    return found


def exercises(specimen: Specimen) -> Iterator[Exercise]:
    every = measurings(specimen)
    for measuring, seed in [*((one, 0) for one in every), (every[0], 1)]:
        yield measuring.exercise(seed)


@promises("measure", why="the author of a suite reads it, and nothing else can be examined")
def refuses_in_words(specimen: Specimen) -> str:
    """refuses() returns None, or says in words why it cannot measure a model; it accepts some."""
    measure, served, answer = specimen.make(), [], None
    for setting in every_setting(specimen):
        answer = measure.refuses(setting.task, setting.architecture, setting.size)
        must_be_none_or_words(f"refuses() for {setting}", answer)
        if answer is None:
            served.append(str(Measuring(measure, setting)))
    must(
        served,
        f"it refuses every model of the kit: {answer}",
        "register a task and an architecture beside it, or name them: "
        "checks_for(…, tasks=[MyTask()], architectures=[MyArchitecture()])",
    )
    return listed(served)


@promises("measure", why="there would be nothing to store, and the run would fail")
def gives_a_number_for_each_quantity(specimen: Specimen) -> None:
    """measure() gives one number for each quantity, in every precision, and not always NaN."""
    measure: Measure = specimen.make()
    taken = sorted({f"{measure.name}_{name}" for name in measure.quantities} & RESERVED)
    must(
        not taken,
        f"it would record {listed(taken)}, which is recorded already",
        "give the measure or the quantity another name",
    )
    known: set[str] = set()
    for measuring in measurings(specimen):
        for precision in ("float64", "float32"):
            try:
                found = measuring.values(measuring.snapshot(0, precision))
            except PluginError as error:
                raise fault_of(str(error), where=f" ({measuring}, {precision})") from error
            pairs = zip(measure.quantities, found, strict=True)
            known |= {name for name, value in pairs if not isnan(value)}
    empty = [name for name in measure.quantities if name not in known]
    must(
        not empty,
        f"{listed(empty)} of an untrained model is NaN for every model of the kit",
        "give a number for every model that refuses() accepts, or refuse more",
    )


@promises(
    "measure",
    why="a run that diverges would be recorded as crashed, and the runs beside it would be trained "
    "again",
    instead="return NaN where `not snapshot.outputs.isfinite().all()`, and switch off the checks of "
    "torch's distributions (validate_args=False)",
)
def bears_a_diverged_run(specimen: Specimen) -> None:
    """A model that is not finite is measured without an error; the number may be NaN."""
    for measuring in measurings(specimen):
        snapshot = measuring.snapshot()
        measuring.sound(snapshot)
        weights = {name: torch.full_like(one, torch.nan) for name, one in snapshot.weights.items()}
        outputs = torch.full_like(snapshot.outputs, torch.nan)
        # Torch's distributions check their arguments, unless torch.compile() turned that off.
        strict = patch.object(Distribution, "_validate_args", True)
        with must_work(f"{measuring}: where weights are NaN it"), strict:
            measuring.values(replace(snapshot, weights=weights, outputs=outputs))


@promises(
    "measure",
    why="a task may list its examples in any order",
    instead="find an example by its inputs, not by its place",
)
def order_of_examples_does_not_matter(specimen: Specimen) -> None:
    """Numbers do not depend on the order of the task's examples."""
    for measuring in measurings(specimen):
        snapshot = measuring.snapshot()
        order = torch.randperm(len(snapshot.outputs), generator=torch.Generator().manual_seed(0))
        examples = {name: value[order] for name, value in vars(snapshot.examples).items()}
        turned = replace(
            snapshot,
            outputs=snapshot.outputs[order],
            examples=replace(snapshot.examples, **examples),
            arguments=tuple(one[order] for one in snapshot.arguments),
        )
        before, after = measuring.sound(measuring.snapshot()), measuring.sound(turned)
        for name, one in before.items():
            other = after[name]
            must(
                abs(one - other) <= ALIKE * max(1.0, abs(one)) or (isnan(one) and isnan(other)),
                f"{name} changes from {one:.6g} to {other:.6g} when the examples come in another "
                f"order ({measuring})",
            )
