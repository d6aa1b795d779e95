"""A single-file plugin: small definitions, with every way of refusing that a suite must report."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from grokbench import (
    Architecture,
    CrossEntropy,
    Detector,
    Examples,
    Finding,
    Optimizer,
    Options,
    Task,
    Tokens,
    hookimpl,
)


class CountingOptions(Options):
    limit: Annotated[int, Field(ge=1)] = 100
    order: Literal["up", "down"] = "up"
    weights: tuple[float, float] = (0.5, 0.5)


class Counting(Task):
    """A task whose data sizes go up to its limit."""

    name = "counting"
    version = 3
    Options = CountingOptions
    inputs = Tokens(vocabulary=4, length=2)
    judgement = CrossEntropy(4)

    def check(self, data_size):
        limit = self.options.limit
        return None if data_size <= limit else f"there are {limit} numbers; write 1 to {limit}"

    def examples(self, data_size, streams):
        nothing = torch.zeros(data_size, dtype=torch.bool)
        label = torch.zeros(data_size, dtype=torch.int64)
        inputs = torch.zeros(data_size, 2, dtype=torch.int64)
        return Examples(inputs, label, ~nothing, nothing, label, nothing)


class TwoParts(Counting):
    """The same in two parts."""

    name = "two_parts"
    parts = ("even", "odd")


class Faulty(Counting):
    """A task that breaks when it is asked anything."""

    name = "faulty"

    def check(self, data_size):
        raise ZeroDivisionError("no size at all")


class Even(Architecture):
    """Takes even hidden sizes, and no task in parts."""

    name = "even"

    def refuses(self, task, size):
        if len(task.parts) > 1:
            return "even takes tasks of one part"
        return (
            None if size.hidden_size % 2 == 0 else f"{size.hidden_size} is odd; write an even one"
        )

    def build(self, size, task):
        return torch.nn.Linear(size.hidden_size, 1)


class DriftOptions(Options):
    speed: float = 1.0


class Drift(Optimizer):
    """Moves every parameter at one speed."""

    name = "drift"
    Options = DriftOptions

    def start(self, parameters):
        pass

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        parameters += self.options.speed


class StareOptions(Options):
    patience: Annotated[float, Field(gt=0)] = 1.0


class Stare(Detector):
    """Looks at one experiment."""

    name = "stare"
    Options = StareOptions

    def find(self, data):
        return Finding(0.0, 0.0, 0.0, "nothing", 5, "nothing was seen")


class Compare(Stare):
    """Looks at two."""

    name = "compare"
    roles = ("left", "right")


@hookimpl
def register_tasks(register):
    for task in (Counting, TwoParts, Faulty):
        register(task)


@hookimpl
def register_architectures(register):
    register(Even)


@hookimpl
def register_optimizers(register):
    register(Drift)


@hookimpl
def register_detectors(register):
    register(Stare)
    register(Compare)
