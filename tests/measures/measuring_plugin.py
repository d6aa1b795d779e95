"""A single-file plugin: measures of known values, and wrong measures."""

from __future__ import annotations

import random
from typing import ClassVar

import torch
from torch import nn

from grokbench import Architecture, Measure, Options, Task, hookimpl


class Seen(Measure):
    """The contents of a snapshot, as numbers that other variables of the results have too."""

    name = "seen"
    quantities: ClassVar = {
        "norm": "L2 norm of all parameters",
        "accuracy": "share of the training examples that are answered correctly",
        "alike": "largest difference between the module's own outputs and those given",
        "step": "steps taken",
        "noise": "a random number",
    }

    def measure(self, snapshot):
        examples = snapshot.examples
        with torch.enable_grad():
            own = snapshot.module()(*snapshot.arguments)
        correct = snapshot.outputs.argmax(1) == examples.labels
        return {
            "noise": torch.rand(()),
            "step": snapshot.step,
            "norm": torch.cat([value.flatten() for value in snapshot.weights.values()]).norm(),
            "accuracy": correct[examples.train].double().mean(),
            "alike": (own - snapshot.outputs).abs().max(),
        }


class Vandal(Measure):
    """Overwrites everything in its snapshot."""

    name = "vandal"
    quantities: ClassVar = {"nothing": "not a number"}

    def measure(self, snapshot):
        for value in (*snapshot.weights.values(), *snapshot.module().parameters()):
            value.zero_()
        return {"nothing": float("nan")}


class PickyOptions(Options):
    above: int = 8


class Picky(Measure):
    """Larger models only."""

    name = "picky"
    Options = PickyOptions
    quantities: ClassVar = {"size": "hidden size"}

    def refuses(self, task, architecture, size):
        assert isinstance(task, Task)
        assert isinstance(architecture, Architecture)
        least = self.options.above + 1
        return None if size.hidden_size >= least else f"write sizes of {least} or more"

    def measure(self, snapshot):
        return {"size": snapshot.size.hidden_size}


class Train(Picky):
    """One of its variables has a name that is taken: train_loss."""

    name = "train"
    Options = Options
    quantities: ClassVar = {"loss": "a loss"}
    refuses = Measure.refuses


class Wrong(Measure):
    """Gives what `given` makes."""

    quantities: ClassVar = {"one": "a number"}

    def measure(self, snapshot):
        return type(self).given(snapshot)


def wrong(called, given):
    return type(called.title(), (Wrong,), {"name": called, "given": staticmethod(given)})


class Normalized(Architecture):
    """Batch normalization: buffers that training changes."""

    name = "normalized"

    def build(self, size, task):
        return nn.Sequential(
            nn.Embedding(task.inputs.vocabulary, size.hidden_size),
            nn.Flatten(),
            nn.BatchNorm1d(task.inputs.length * size.hidden_size),
            nn.Linear(task.inputs.length * size.hidden_size, task.judgement.outputs),
        )


@hookimpl
def register_measures(register):
    for measure in (Seen, Vandal, Picky, Train):
        register(measure)
    register(wrong("misnamed", lambda snapshot: {"two": 2.0}))
    register(wrong("wordy", lambda snapshot: {"one": "1.0 or so"}))
    register(wrong("several", lambda snapshot: {"one": torch.zeros(3)}))
    register(wrong("pythonic", lambda snapshot: {"one": random.random()}))


@hookimpl
def register_architectures(register):
    register(Normalized)
