"""What an optimizer promises of its steps."""

from __future__ import annotations

import copy
import io
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grokbench.optimizers.base import Optimizer
from grokbench.plugins import describe
from grokbench.testing.conformance.checks import Fault, Specimen, listed, promises, reported_by
from grokbench.testing.conformance.exercises import Exercise, exercised

RUNS, PARAMETERS = 3, 12

RATES = (1e-3, 1e-2, 1e-1)
"""Learning rates, of which at least one must lead downhill."""


def random(seed: int) -> Tensor:
    """Numbers [runs, parameters] that are not near zero."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(RUNS, PARAMETERS, generator=generator, dtype=torch.float64)
    return numbers + numbers.sign()


@dataclass(eq=False)
class Bowls:
    """A stack of quadratic bowls: each run goes down to a target of its own."""

    optimizer: Optimizer
    parameters: Tensor = field(default_factory=lambda: random(0))
    target: Tensor = field(default_factory=lambda: random(1))
    rate: Tensor = field(
        default_factory=lambda: torch.tensor([[1e-3], [1e-2], [3e-2]], dtype=torch.float64)
    )
    decay: Tensor = field(default_factory=lambda: 0.1 * random(2).abs())
    taken: int = 0
    count: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    @classmethod
    def of(cls, specimen: Specimen, **given: Any) -> Bowls:
        """Bowls whose optimizer has started.

        Raises:
            Inapplicable: it cannot take a step, which another check reports.
        """
        trial, bowls = cls(specimen.make()), cls(specimen.make(), **given)
        with reported_by("changes_parameters_in_place"):
            trial.optimizer.start(trial.parameters)
            trial.step()
        bowls.optimizer.start(bowls.parameters)
        return bowls

    def rows(self, specimen: Specimen, rows: Sequence[int]) -> Bowls:
        """Some of the runs alone, from the beginning."""
        picked = torch.tensor(rows)
        return Bowls.of(
            specimen,
            parameters=random(0)[picked].to(self.parameters.dtype),
            target=self.target[picked],
            rate=self.rate[picked],
            decay=self.decay[picked],
        )

    def step(self, spoil: Callable[[Tensor], object] = lambda gradients: None) -> None:
        """Take a step with the bowls' gradients, which `spoil` may change in place."""
        gradients = self.parameters - self.target
        spoil(gradients)
        self.taken += 1
        self.count = torch.tensor(float(self.taken), dtype=torch.float64)
        self.optimizer.step(self.parameters, gradients, self.rate, self.decay, self.count)

    def steps(
        self, number: int, spoil: Callable[[Tensor], object] = lambda gradients: None
    ) -> Tensor:
        """Take several steps; the parameters, [runs, parameters]."""
        for _ in range(number):
            self.step(spoil)
        return self.parameters


def near(first: Tensor, second: Tensor) -> bool:
    """Equal but for rounding: kernels may add in another order at the end of a row."""
    return torch.allclose(first, second, rtol=1e-12, atol=1e-13, equal_nan=True)


@exercised("optimizer")
def five_steps(specimen: Specimen) -> Iterator[Exercise]:
    shown = [Bowls.of(specimen)]

    def act() -> Mapping[str, Tensor]:
        shown[0] = Bowls.of(specimen)
        return {"parameters": shown[0].steps(5)}

    def given() -> Mapping[str, Tensor]:
        """What the steps were given; the count less the steps that were taken."""
        count = shown[0].count - shown[0].taken
        return {"learning_rate": shown[0].rate, "weight_decay": shown[0].decay, "count": count}

    yield Exercise(
        specimen.make(),
        "taking five steps",
        act,
        "draw nothing in step(), or draw from a generator that start() seeds",
        given=given,
    )


@promises("optimizer")
def changes_parameters_in_place(specimen: Specimen) -> None:
    """A step writes the new parameters into the tensor that it was given."""
    bowls = Bowls(specimen.make())
    storage = bowls.parameters.data_ptr()
    bowls.optimizer.start(bowls.parameters)
    if not torch.equal(bowls.parameters, random(0)):
        raise Fault(
            "start() changes the parameters",
            "initial weights are part of a run's identity",
            "write .clone() where start() needs its own copy",
        )
    bowls.steps(3)
    if torch.equal(bowls.parameters, random(0)) or bowls.parameters.data_ptr() != storage:
        raise Fault(
            "three steps do not change the parameters",
            "names and captured graphs are views into one tensor",
            "write parameters.add_(…) or parameters.copy_(…), not parameters = …",
        )
    if bowls.parameters.dtype != torch.float64 or not bowls.parameters.isfinite().all():
        raise Fault(
            f"after three steps the parameters are {bowls.parameters.flatten()[:4]}",
            "gradients and rates were moderate",
            "look at the first step, where moments are zero",
        )


@promises("optimizer")
def keeps_its_state_in_place(specimen: Specimen) -> None:
    """A step writes into the tensors that start() made, and changes no other attribute."""
    bowls = Bowls.of(specimen)

    def state() -> dict[str, Any]:
        """Where each tensor lies, and copies of everything else."""
        return {
            name: one.data_ptr() if isinstance(one, Tensor) else copy.deepcopy(one)
            for name, one in bowls.optimizer.state().items()
        }

    before = state()
    bowls.steps(3)
    after = state()
    tensors = {n for n, one in bowls.optimizer.state().items() if isinstance(one, Tensor)}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if replaced := [name for name in changed if name in tensors]:
        raise Fault(
            f"step() makes or replaces {listed(replaced)}",
            "a step may be captured once and replayed, and checkpoints go into the same tensors",
            "make every tensor in start(), and write into it: self.first.mul_(…).add_(…)",
        )
    if changed:
        raise Fault(
            f"step() changes {listed(changed)}, which is no tensor",
            "a captured step would change it once, and replays would not",
            "use `count` for the number of the step, or a tensor that is changed in place",
        )


@promises("optimizer")
def a_run_is_the_same_in_a_stack(specimen: Specimen) -> None:
    """Each run of a stack ends where it ends alone, even when another run has diverged."""
    stack = Bowls.of(specimen)
    together = stack.steps(10)
    instead = "reduce over dim=1 with keepdim=True, never over all of a tensor"
    for row in range(RUNS):
        alone = stack.rows(specimen, [row]).steps(10)
        if not near(alone[0], together[row]):
            raise Fault(
                f"run {row} ends {float((alone[0] - together[row]).abs().max()):.2g} away from "
                "where it ends alone",
                "rows are separate runs and must not mix",
                instead,
            )
    diverged = Bowls.of(specimen).steps(10, lambda gradients: gradients[0].fill_(torch.nan))
    if not near(together[1:], diverged[1:]):
        raise Fault(
            "when one run's gradient is NaN, the others end elsewhere",
            "a stack goes on when one of its runs has diverged",
            instead,
        )


@promises("optimizer")
def obeys_each_learning_rate(specimen: Specimen) -> None:
    """Each run moves by its own learning rate, and a run with rate zero does not move."""
    frozen = Bowls.of(specimen)
    frozen.rate = torch.tensor([[0.0], [1e-2], [3e-2]], dtype=torch.float64)
    if not torch.equal(frozen.steps(5)[0], random(0)[0]):
        raise Fault(
            "a run whose learning rate is 0 moves",
            "warm-up and recipes act through `learning_rate` [runs, 1]",
            "multiply the whole update by learning_rate, decay included",
        )
    slow, fast = Bowls.of(specimen), Bowls.of(specimen)
    fast.rate = fast.rate * torch.tensor([[2.0], [1.0], [1.0]], dtype=torch.float64)
    first, second = slow.steps(3), fast.steps(3)
    if near(first[0], second[0]) or not near(first[1:], second[1:]):
        raise Fault(
            "doubling one run's learning rate does not change that run and no other",
            "each run has its own learning rate from its recipe",
            "multiply updates by learning_rate as it is given, [runs, 1]",
        )


@promises("optimizer")
def obeys_each_weight_decay(specimen: Specimen) -> None:
    """Without a gradient, exactly those parameters shrink whose weight decay is above zero."""
    bowls = Bowls.of(specimen)
    decayed = torch.zeros(RUNS, PARAMETERS, dtype=torch.float64)
    decayed[1, ::2], decayed[2] = 0.5, 1.0
    bowls.decay = decayed
    before, after = random(0), bowls.steps(10, lambda gradients: gradients.zero_())
    idle = decayed == 0
    if not torch.equal(before[idle], after[idle]):
        raise Fault(
            "parameters without gradient and without weight decay move",
            "a recipe's weight decay of 0, and its decay_on, say that nothing decays",
            "use weight_decay [runs, parameters] as it is given",
        )
    shrunk = (after[~idle].abs() < before[~idle].abs()) & (after[~idle] * before[~idle] > 0)
    if not bool(shrunk.all()):
        raise Fault(
            f"{int((~shrunk).sum())} of {len(shrunk)} parameters with weight decay do not shrink",
            "the recipe's weight decay would have no effect, and grokking depends on it",
            "add parameters.addcmul_(parameters, learning_rate * weight_decay, value=-1), "
            "or weight_decay * parameters to the gradient",
        )


@promises("optimizer")
def bears_a_zero_gradient(specimen: Specimen) -> None:
    """Zero, tiny and large gradients, and late steps, give no NaN."""
    for scale in (0.0, 1e-30, 1e15):
        for taken in (0, 10**7):
            bowls = Bowls.of(specimen)
            bowls.taken = taken
            ends = bowls.steps(3, lambda gradients, scale=scale: gradients.mul_(scale))  # type: ignore[misc]
            if not bool(ends.isfinite().all()):
                raise Fault(
                    f"with gradients of about {scale:g} at step {taken + 1}, parameters are not "
                    "finite",
                    "a unit that is never active has a gradient of zero, and runs are long",
                    "add an epsilon where you divide, and correct for bias by `count`",
                )


@promises("optimizer")
def goes_downhill(specimen: Specimen) -> None:
    """On a quadratic bowl, the loss falls for at least one of three learning rates."""
    for rate in RATES:
        bowls = Bowls.of(specimen)
        bowls.rate, bowls.decay = torch.full_like(bowls.rate, rate), bowls.decay * 0
        before = (bowls.parameters - bowls.target).square().sum(1)
        after = (bowls.steps(50) - bowls.target).square().sum(1)
        if bool((after < before).all()):
            return
    raise Fault(
        "50 steps on a quadratic bowl lead no run downhill at any learning rate of "
        f"{listed(RATES)}",
        "gradients point uphill",
        "subtract the update from the parameters",
    )


@promises("optimizer")
def goes_on_from_its_state(specimen: Specimen) -> None:
    """Restored from a checkpoint, it ends in the same bits; and so do some of its runs alone."""
    whole = Bowls.of(specimen).steps(10)
    first = Bowls.of(specimen)
    first.steps(5)
    state = written_and_read(first.optimizer.state())
    second = Bowls.of(specimen)
    second.parameters, second.taken = first.parameters.clone(), 5
    second.optimizer.restore(state)
    if not torch.equal(whole, second.steps(5)):
        raise Fault(
            "restored after five steps, it ends elsewhere than without the interruption",
            "a checkpoint promises the same bits",
            "keep everything that steps depend on in tensors that start() makes",
        )
    rows = [0, 2]
    kept = {n: v[rows] if isinstance(v, Tensor) and v.ndim > 1 else v for n, v in state.items()}
    fewer = second.rows(specimen, rows)
    fewer.parameters, fewer.taken = first.parameters[rows].clone(), 5
    fewer.optimizer.restore(kept)
    if not near(whole[rows], fewer.steps(5)):
        raise Fault(
            "when a diverged run leaves the stack, the others end elsewhere",
            "in tensors of two dimensions or more, the first dimension is the run",
            "give each run's state its own row, first dimension",
        )


def written_and_read(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state after it was written to a checkpoint and read again.

    Raises:
        Fault: it cannot be written or read.
    """

    def through_a_file(value: Any) -> Any:
        content = io.BytesIO()
        torch.save(value, content)
        content.seek(0)
        return torch.load(content, weights_only=True)

    for name, value in state.items():
        try:
            through_a_file(value)
        except Exception as error:
            raise Fault(
                f"its state {name} = {reprlib.repr(value)} cannot be written to a checkpoint and "
                f"read again: {type(error).__name__}",
                "an interrupted run could not be continued",
                "keep tensors, numbers, text, lists and dicts as attributes after start(); write "
                "float(…) around numpy's numbers, and functions as methods",
            ) from error
    read: dict[str, Any] = through_a_file(dict(state))
    return read


@promises("optimizer")
def reads_nothing_back(specimen: Specimen) -> None:
    """A step looks at no value, so that it can be captured and replayed on a GPU."""
    Bowls.of(specimen)
    shapes = Bowls(specimen.make())
    parameters, rate, decay = (
        one.to("meta") for one in (shapes.parameters, shapes.rate, shapes.decay)
    )
    count = torch.ones((), dtype=torch.float64, device="meta")
    try:
        shapes.optimizer.start(parameters)
        shapes.optimizer.step(parameters, torch.empty_like(parameters), rate, decay, count)
    except (RuntimeError, NotImplementedError) as error:
        raise Fault(
            f"on tensors that have shapes and no values it raises {describe(error)}",
            "every step would wait for the device, and a step could not be captured",
            "write torch.where(…) and clamp_ instead of `if`, and no .item(), float() or int()",
        ) from error
