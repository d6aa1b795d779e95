"""Measures that break their contract, each in one way, and what the kit says of each."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from grokbench import Architecture, Measure
from grokbench.tasks import ModularAddition
from grokbench.testing import parametrize_with_checks
from tests.testing.faults import faults, notes


class Norm(Measure):
    """The norm of all weights and the entropy of the answers, and nothing wrong with them."""

    name = "norm"
    quantities: ClassVar = {"all": "L2 norm of all parameters", "entropy": "mean entropy"}

    def measure(self, snapshot):
        return {
            "all": torch.cat([one.flatten() for one in snapshot.weights.values()]).norm(),
            "entropy": self.entropy(snapshot),
        }

    def entropy(self, snapshot):
        outputs = snapshot.module()(*snapshot.arguments)
        chances = torch.distributions.Categorical(logits=outputs, validate_args=False)
        return chances.entropy().mean()


@parametrize_with_checks([Norm])
def test_a_right_one_has_nothing_wrong(check):
    check()


class Random(Norm):
    """Random numbers of torch's, which are the run's own."""

    def entropy(self, snapshot):
        return torch.rand(())


class Remembering(Norm):
    """How much has changed since it was last called."""

    last = 0.0

    def entropy(self, snapshot):
        before, self.last = self.last, float(super().entropy(snapshot))
        return self.last - before


class Placed(Norm):
    """The first example's, whichever that is."""

    def entropy(self, snapshot):
        return snapshot.outputs[0].max()


class Spoiling(Norm):
    """Clears the labels."""

    def entropy(self, snapshot):
        snapshot.examples.labels.zero_()
        return 0.0


class Training(Norm):
    """Puts the shared module into training, and changes it."""

    def entropy(self, snapshot):
        with torch.no_grad():
            next(snapshot.like.parameters()).add_(1)
        return 0.0


class Switching(Norm):
    """Uses four threads from now on."""

    def entropy(self, snapshot):
        torch.set_num_threads(torch.get_num_threads() + 1)
        return 0.0


class Missing(Norm):
    """One of two."""

    def measure(self, snapshot):
        return {"all": 1.0}


class Empty(Norm):
    """Nothing, ever."""

    def entropy(self, snapshot):
        return torch.nan


class Double(Norm):
    """Works in float64 alone."""

    def entropy(self, snapshot):
        return (snapshot.outputs @ torch.zeros(snapshot.outputs.shape[1]).double()).sum()


class Unwilling(Norm):
    """Refuses everything."""

    def refuses(self, task, architecture, size):
        return "not today"


class Curt(Norm):
    """Refuses without a word."""

    def refuses(self, task, architecture, size):
        return ""


class Raising(Norm):
    """Fails at what it did not refuse."""

    def entropy(self, snapshot):
        return snapshot.weights["no such name"].norm()


class Strict(Norm):
    """Has torch look whether the outputs are finite."""

    def entropy(self, snapshot):
        return torch.distributions.Categorical(logits=snapshot.outputs).entropy().mean()


class Shadowing(Norm):
    """Records what is recorded already."""

    name = "parameter"
    quantities: ClassVar = {"norm": "L2 norm of all parameters"}

    def measure(self, snapshot):
        return {"norm": super().measure(snapshot)["all"]}


@pytest.mark.parametrize(
    ("measure", "check", "words"),
    [
        (Strict, "bears_a_diverged_run", "where weights are NaN it raises ValueError"),
        (Shadowing, "gives_a_number_for_each_quantity", "it would record parameter_norm"),
        (Remembering, "gives_the_same_again", "entropy change from one time to the next"),
        (Placed, "order_of_examples_does_not_matter", "find an example by its inputs"),
        (Spoiling, "changes_nothing_else", "changes examples.labels"),
        (Training, "changes_nothing_else", "changes like."),
        (Switching, "changes_nothing_else", "torch's number of threads"),
        (Missing, "gives_a_number_for_each_quantity", "gives ['all'] (dense"),
        (Empty, "gives_a_number_for_each_quantity", "entropy of an untrained model is NaN"),
        (Double, "gives_a_number_for_each_quantity", "it raises RuntimeError"),
        (Raising, "gives_a_number_for_each_quantity", "it raises KeyError: 'no such name'"),
        (Unwilling, "refuses_in_words", "it refuses every model of the kit: not today"),
        (Curt, "refuses_in_words", "size 12 on modular_addition gives ''"),
    ],
)
def test_a_broken_measure_is_found_by_its_check_and_told_what_is_wrong(measure, check, words):
    found = faults(measure)
    assert check in found
    assert words in found[check]


def test_random_numbers_of_torchs_are_no_fault():
    assert {} == faults(Random)


class Own(Architecture):
    """An architecture of the plugin's."""

    name = "own"

    def build(self, size, task):
        return torch.nn.Sequential(
            torch.nn.Embedding(task.inputs.vocabulary, size.hidden_size),
            torch.nn.Flatten(),
            torch.nn.Linear(task.inputs.length * size.hidden_size, task.judgement.outputs),
        )


class Particular(Norm):
    """For that alone, and a + b mod 13."""

    def refuses(self, task, architecture, size):
        if architecture.name != "own" or getattr(task.options, "modulus", 0) != 13:
            return "it measures `own` models of a + b mod 13"
        return None


def test_a_measure_is_tried_on_what_it_is_given():
    given = {
        "tasks": [ModularAddition.from_options({"modulus": 13})],
        "architectures": [Own()],
    }
    assert {} == faults(Particular, **given)
    assert "own of size 8 on modular_addition" in notes(Particular, **given)["refuses_in_words"]
