"""A detector and an architecture that fork, and whose child does not end itself."""

import itertools
import os

import torch
from torch import nn

from grokbench import Architecture, Detector, Finding, Options, hookimpl
from grokbench.optimizers import SGD

NUMBERS = itertools.count()


class How(Options):
    how: str = "exit"


class Forks(Detector):
    """The child exits, raises an error, or returns as the parent does."""

    name = "forks"
    Options = How

    def find(self, data):
        print(f"fork {next(NUMBERS)}")  # noqa: T201
        child = os.fork()
        if child == 0:
            if self.options.how == "exit":
                raise SystemExit(7)
            if self.options.how == "error":
                raise ValueError("this is the child")
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return Finding(float(status), 0.0, 0.0, "accuracy", 2, "seen")
        return Finding(0.5, 0.5, 0.5, "accuracy", 2, "the child")


class ForkedModel(nn.Module):
    """A model."""

    def __init__(self, tokens, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(tokens, outputs))

    def forward(self, inputs):
        return self.weight[inputs].mean(1)


class ForksInBuild(Architecture):
    """Parent and child go on with the model."""

    name = "forks"

    def build(self, size, task):
        os.fork()
        return ForkedModel(task.inputs.vocabulary, task.judgement.outputs)


class ForksInStep(SGD):
    """Parent and child go on with the step."""

    name = "forks"

    def step(self, *arguments):
        os.fork()
        super().step(*arguments)


@hookimpl
def register_detectors(register):
    register(Forks)


@hookimpl
def register_architectures(register):
    register(ForksInBuild)


@hookimpl
def register_optimizers(register):
    register(ForksInStep)
