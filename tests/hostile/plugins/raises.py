"""Definitions of every kind that end the process, or raise what has no words, wherever they are asked to."""

import contextlib
import os
import signal
from typing import ClassVar

import pydantic
import torch
from torch import nn

from grokbench import Architecture, Detector, Finding, Measure, Options, hookimpl
from grokbench.optimizers import SGD
from grokbench.tasks.modular import ModularAddition


class MuteError(Exception):
    """An error that cannot say what it is."""

    def __str__(self):
        raise KeyboardInterrupt


def press_ctrl_c():
    """Receive the user's Ctrl-C, and swallow it."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return ValueError("nothing happened")


HOW = {
    "ctrl-c": press_ctrl_c,
    "exit": lambda: SystemExit(0),
    "interrupt": KeyboardInterrupt,
    "mute": MuteError,
    "stop": StopIteration,
    "close": GeneratorExit,
}


def misbehave(options, here):
    if options.where == here:
        if options.how == "leave":
            os._exit(0)
        raise HOW[options.how]()


class Where(Options):
    where: str = ""
    how: str = "exit"

    @pydantic.field_validator("where")
    @classmethod
    def not_in_options(cls, value):
        if value == "options":
            raise SystemExit(0)
        return value


class RaisingDetector(Detector):
    """A detector."""

    name = "raises"
    Options = Where

    def __init__(self, options=None):
        super().__init__(options)
        misbehave(self.options, "init")

    def warning(self, lengths):
        lengths.clear()
        misbehave(self.options, "warning")

    def at(self, confidence):
        misbehave(self.options, "at")
        return super().at(confidence)

    def find(self, data):
        misbehave(self.options, "find")
        return Finding(0.0, 0.0, 0.0, "accuracy", 2, "seen")

    def figure(self, data, finding):
        misbehave(self.options, "figure")


class RaisingTask(ModularAddition):
    """A task."""

    name = "raises"

    class Options(Where, ModularAddition.Options):
        """Those of the built-in task, and where it misbehaves."""

    @property
    def parts(self):
        misbehave(self.options, "parts")
        return ("all",)

    def check(self, data_size):
        misbehave(self.options, "check")
        return super().check(data_size)

    def examples(self, data_size, streams):
        misbehave(self.options, "examples")
        return super().examples(data_size, streams)


class Raising(nn.Module):
    """A model."""

    def __init__(self, options, tokens, outputs):
        super().__init__()
        self.options = options
        self.weight = nn.Parameter(torch.rand(tokens, outputs))

    def forward(self, inputs):
        misbehave(self.options, "forward")
        return self.weight[inputs].mean(1)


class RaisingArchitecture(Architecture):
    """An architecture."""

    name = "raises"
    Options = Where

    def refuses(self, task, size):
        misbehave(self.options, "refuses")

    def build(self, size, task):
        misbehave(self.options, "build")
        return Raising(self.options, task.inputs.vocabulary, task.judgement.outputs)


class RaisingOptimizer(SGD):
    """An optimizer."""

    name = "raises"

    class Options(Where, SGD.Options):
        """Those of the built-in optimizer, and where it misbehaves."""

    def start(self, parameters):
        misbehave(self.options, "start")
        super().start(parameters)

    def step(self, *arguments):
        misbehave(self.options, "step")
        super().step(*arguments)


class RaisingMeasure(Measure):
    """A measure."""

    name = "raises"
    Options = Where
    quantities: ClassVar = {"nothing": "zero"}

    def refuses(self, task, architecture, size):
        misbehave(self.options, "refuses")

    def measure(self, snapshot):
        misbehave(self.options, "measure")
        return {"nothing": 0.0}


@hookimpl
def register_tasks(register):
    register(RaisingTask)


@hookimpl
def register_architectures(register):
    register(RaisingArchitecture)


@hookimpl
def register_optimizers(register):
    register(RaisingOptimizer)


@hookimpl
def register_measures(register):
    register(RaisingMeasure)


@hookimpl
def register_detectors(register):
    register(RaisingDetector)
