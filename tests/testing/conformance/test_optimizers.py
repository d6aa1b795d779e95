"""Optimizers that break their contract, each in one way, and what the kit says of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grokbench import Optimizer
from tests.testing.faults import faults


class Descending(Optimizer):
    """Momentum and decoupled decay, and nothing wrong with it."""

    name = "descending"

    def start(self, parameters):
        self.velocity = torch.zeros_like(parameters)

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        self.velocity.mul_(0.9).add_(self.direction(gradients))
        parameters.addcmul_(parameters, learning_rate * weight_decay, value=-1)
        parameters.addcmul_(self.velocity, learning_rate, value=-1)

    def direction(self, gradients):
        return gradients


class Clipping(Descending):
    """Clips by the norm of all runs' gradients."""

    def direction(self, gradients):
        return gradients / gradients.norm().clamp(min=1.0)


class Spreading(Descending):
    """Adds nothing, but that of all runs."""

    def direction(self, gradients):
        return gradients + 0 * gradients.sum()


class Uniting(Descending):
    """Subtracts the mean over runs."""

    def direction(self, gradients):
        return gradients - gradients.mean(0, keepdim=True)


class Undecayed(Descending):
    """Without weight decay."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        super().step(parameters, gradients, learning_rate, torch.zeros_like(weight_decay), count)


class Overdecayed(Descending):
    """Decays whatever there is, by the mean of what it is told."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        mean = weight_decay.mean().expand_as(weight_decay)
        super().step(parameters, gradients, learning_rate, mean, count)


class Growing(Descending):
    """Decays with the wrong sign."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        super().step(parameters, gradients, learning_rate, -weight_decay, count)


class OneRate(Descending):
    """Takes the first run's learning rate for all."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        first = learning_rate[:1].expand_as(learning_rate)
        super().step(parameters, gradients, first, weight_decay, count)


class Restless(Descending):
    """Moves whatever the learning rate."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        super().step(parameters, gradients, learning_rate, weight_decay, count)
        parameters -= 1e-3 * gradients


class Climbing(Descending):
    """Adds the gradient."""

    def direction(self, gradients):
        return -gradients


class Rebinding(Descending):
    """Makes new parameters and gives them to nobody."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        parameters = parameters - learning_rate * gradients


class Replacing(Descending):
    """Makes a new velocity at every step."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        self.velocity = 0.9 * self.velocity + gradients
        parameters -= learning_rate * (self.velocity + weight_decay * parameters)


class Counting(Descending):
    """Counts the steps itself."""

    def start(self, parameters):
        super().start(parameters)
        self.taken = 0

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        self.taken += 1
        super().step(parameters, gradients / self.taken, learning_rate, weight_decay, count)


class Dividing(Descending):
    """Divides by a gradient that may be zero."""

    def direction(self, gradients):
        return gradients / gradients.abs()


class Cooling(Descending):
    """Warms learning rates up where they stand."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        learning_rate *= 0.99
        super().step(parameters, gradients, learning_rate, weight_decay, count)


class Advancing(Descending):
    """Counts steps where it is told their number."""

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        super().step(parameters, gradients, learning_rate, weight_decay, count.add_(1))


class Scheduled(Descending):
    """Keeps a function."""

    def start(self, parameters):
        super().start(parameters)
        self.schedule = lambda count: 1.0


class Numbered(Descending):
    """Keeps a number of numpy's."""

    def start(self, parameters):
        super().start(parameters)
        self.root = np.sqrt(2.0)


class Noisy(Descending):
    """Adds noise from the global generator."""

    def direction(self, gradients):
        return gradients + torch.randn_like(gradients)


class Hidden(Descending):
    """Remembers in a closure what belongs to its state."""

    def start(self, parameters):
        super().start(parameters)
        Hidden.secret = torch.zeros_like(parameters)

    def direction(self, gradients):
        Hidden.secret += gradients
        return Hidden.secret


class Shared(Descending):
    """Keeps columns before rows."""

    def start(self, parameters):
        self.velocity = torch.zeros_like(parameters)
        self.scale = torch.ones(parameters.shape[1], 1, dtype=parameters.dtype)

    def direction(self, gradients):
        self.scale += gradients[:1].T.abs()
        return gradients / self.scale.T


class Asking(Descending):
    """Looks at a value to decide."""

    def direction(self, gradients):
        return gradients if gradients.abs().max().item() < 1e9 else gradients.sign()


class Beginning(Descending):
    """Rescales the initial weights."""

    def start(self, parameters):
        super().start(parameters)
        parameters *= 0.5


class Broken(Descending):
    """Cannot take a step."""

    def direction(self, gradients):
        raise ValueError("no way down")


class Forgetting(Descending):
    """Does not take back what it gave."""

    def restore(self, state):
        pass


class Averaging(Descending):
    """Steps a copy of the parameters, and shows the copy."""

    def start(self, parameters):
        super().start(parameters)
        self.own = parameters.clone()

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        super().step(self.own, gradients, learning_rate, weight_decay, count)
        parameters.copy_(self.own)


class Leaping(Descending):
    """Divides by how far it is from where it began."""

    def start(self, parameters):
        super().start(parameters)
        self.norm = parameters.norm(dim=1, keepdim=True)

    def direction(self, gradients):
        return gradients / (self.norm - self.norm.clone())


FAULTS = [
    (Clipping, "a_run_is_the_same_in_a_stack", "rows are separate runs"),
    (Spreading, "a_run_is_the_same_in_a_stack", "when one run's gradient is NaN"),
    (Uniting, "a_run_is_the_same_in_a_stack", "reduce over dim=1"),
    (Undecayed, "obeys_each_weight_decay", "18 of 18 parameters with weight decay do not shrink"),
    (Overdecayed, "obeys_each_weight_decay", "without gradient and without weight decay move"),
    (Growing, "obeys_each_weight_decay", "do not shrink"),
    (OneRate, "obeys_each_learning_rate", "doubling one run's learning rate"),
    (Restless, "obeys_each_learning_rate", "a run whose learning rate is 0 moves"),
    (Climbing, "goes_downhill", "subtract the update"),
    (Rebinding, "changes_parameters_in_place", "not parameters = …"),
    (Replacing, "keeps_its_state_in_place", "makes or replaces velocity"),
    (Counting, "keeps_its_state_in_place", "changes taken, which is no tensor"),
    (Dividing, "bears_a_zero_gradient", "with gradients of about 0 at step 1"),
    (Cooling, "changes_nothing_else", "changes learning_rate"),
    (Advancing, "changes_nothing_else", "changes count"),
    (Scheduled, "goes_on_from_its_state", "its state schedule = <function"),
    (Numbered, "goes_on_from_its_state", "write float(…) around numpy's numbers"),
    (Noisy, "gives_the_same_again", "parameters depend on torch's random state"),
    (Noisy, "changes_nothing_else", "changes torch's random state"),
    (Hidden, "goes_on_from_its_state", "restored after five steps"),
    (Shared, "goes_on_from_its_state", ""),
    (Asking, "reads_nothing_back", "no .item()"),
    (Beginning, "changes_parameters_in_place", "start() changes the parameters"),
    (Broken, "changes_parameters_in_place", "no way down"),
    (Averaging, "bears_a_held_norm", "does not begin at the parameters that it is given"),
    (Leaping, "bears_a_held_norm", "parameters are not finite"),
    (Forgetting, "goes_on_from_its_state", "restored after five steps"),
]


def test_an_optimizer_that_keeps_its_contract_passes_every_check():
    assert {} == faults(Descending)


@pytest.mark.parametrize(
    ("optimizer", "check", "words"), FAULTS, ids=[f"{o.__name__}-{c}" for o, c, _ in FAULTS]
)
def test_a_broken_optimizer_is_found_by_its_check_and_told_what_is_wrong(optimizer, check, words):
    found = faults(optimizer)
    assert check in found
    assert words in found[check]


def test_one_that_cannot_take_a_step_is_reported_once():
    assert {"changes_parameters_in_place"} == set(faults(Broken))
