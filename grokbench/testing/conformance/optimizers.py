"""What an optimizer promises of its steps."""

from __future__ import annotations

import copy
import io
import math
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grokbench.optimizers.base import Optimizer
from grokbench.testing.conformance.checks import (
    Fault,
    Specimen,
    listed,
    must,
    must_work,
    promises,
    reported_by,
)
from grokbench.testing.conformance.exercises import Exercise
from grokbench.training.held_norm import HeldNorm

SHAPES = {"gain": (), "bias": (1,), "matrix.weight": (2, 3), "kernel.weight": (2, 1, 2)}
"""The parameters of each run: an optimizer may treat matrices differently from other parameters."""

RUNS, PARAMETERS = 3, sum(math.prod(shape) for shape in SHAPES.values())

RATES = (1e-3, 1e-2, 1e-1)
"""Learning rates, of which at least one must lead downhill."""


def random(seed: int) -> Tensor:
    """Numbers [runs, parameters] that are not near zero."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(RUNS, PARAMETERS, generator=generator, dtype=torch.float64)
    return numbers + numbers.sign()


def column(*rates: float) -> Tensor:
    """A learning rate for each run, [runs, 1]."""
    return torch.tensor(rates, dtype=torch.float64)[:, None]


@dataclass(eq=False)
class Bowls:
    """A stack of quadratic bowls: each run goes down to a target of its own."""

    optimizer: Optimizer
    parameters: Tensor = field(default_factory=lambda: random(0))
    target: Tensor = field(default_factory=lambda: random(1))
    rate: Tensor = field(default_factory=lambda: column(1e-3, 1e-2, 3e-2))
    decay: Tensor = field(default_factory=lambda: 0.1 * random(2).abs())
    taken: int = 0
    count: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def __post_init__(self) -> None:
        self.optimizer.shapes = SHAPES

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

    def held_steps(self, number: int) -> Tensor:
        """Take several steps, each followed by a rescaling to the initial norm."""
        held = HeldNorm(self.parameters)
        for _ in range(number):
            self.step()
            held.hold(self.parameters)
        return self.parameters


def near(first: Tensor, second: Tensor) -> bool:
    """Equal but for rounding: kernels may add in another order at the end of a row."""
    return torch.allclose(first, second, rtol=1e-12, atol=1e-13, equal_nan=True)


def exercises(specimen: Specimen) -> Iterator[Exercise]:
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


@promises("optimizer", why="names and captured graphs are views into one tensor")
def changes_parameters_in_place(specimen: Specimen) -> None:
    """A step writes the new parameters into the tensor that it was given."""
    bowls = Bowls(specimen.make())
    storage = bowls.parameters.data_ptr()
    bowls.optimizer.start(bowls.parameters)
    must(
        torch.equal(bowls.parameters, random(0)),
        "start() changes the parameters",
        "write .clone() where start() needs its own copy",
    )
    bowls.steps(3)
    must(
        not torch.equal(bowls.parameters, random(0)) and bowls.parameters.data_ptr() == storage,
        "three steps do not change the parameters",
        "write parameters.add_(…) or parameters.copy_(…), not parameters = …",
    )
    must(
        bowls.parameters.dtype == torch.float64 and bowls.parameters.isfinite().all(),
        f"after three steps the parameters are {bowls.parameters.flatten()[:4]}",
        "look at the first step, where moments are zero",
    )


@promises(
    "optimizer",
    why="a step may be captured once and replayed, and checkpoints go into the same tensors",
)
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
    replaced = [name for name in changed if name in tensors]
    must(
        not replaced,
        f"step() makes or replaces {listed(replaced)}",
        "make every tensor in start(), and write into it: self.first.mul_(…).add_(…)",
    )
    must(
        not changed,
        f"step() changes {listed(changed)}, which is no tensor",
        "use `count` for the number of the step, or a tensor that is changed in place",
    )


@promises(
    "optimizer",
    why="rows are separate runs, and a stack goes on when one of its runs has diverged",
    instead="reduce over dim=1 with keepdim=True, never over all of a tensor",
)
def a_run_is_the_same_in_a_stack(specimen: Specimen) -> None:
    """Each run of a stack ends where it ends alone, even when another run has diverged."""
    stack = Bowls.of(specimen)
    together = stack.steps(10)
    for row in range(RUNS):
        alone = stack.rows(specimen, [row]).steps(10)
        apart = float((alone[0] - together[row]).abs().max())
        must(
            near(alone[0], together[row]),
            f"run {row} ends {apart:.2g} away from where it ends alone",
        )
    diverged = Bowls.of(specimen).steps(10, lambda gradients: gradients[0].fill_(torch.nan))
    must(
        near(together[1:], diverged[1:]), "when one run's gradient is NaN, the others end elsewhere"
    )


@promises(
    "optimizer",
    why="each run has its own learning rate, through which warm-up and recipes act",
    instead="multiply the whole update, decay included, by learning_rate as it is given, [runs, 1]",
)
def obeys_each_learning_rate(specimen: Specimen) -> None:
    """Each run moves by its own learning rate, and a run with rate zero does not move."""
    frozen = Bowls.of(specimen, rate=column(0, 1e-2, 3e-2))
    must(torch.equal(frozen.steps(5)[0], random(0)[0]), "a run whose learning rate is 0 moves")
    first = Bowls.of(specimen).steps(3)
    second = Bowls.of(specimen, rate=column(2e-3, 1e-2, 3e-2)).steps(3)
    must(
        near(first[1:], second[1:]) and not near(first[0], second[0]),
        "doubling one run's learning rate does not change that run and no other",
    )


@promises(
    "optimizer",
    why="the recipe's weight decay and its decay_on would not hold, and grokking depends on it",
)
def obeys_each_weight_decay(specimen: Specimen) -> None:
    """Without a gradient, exactly those parameters shrink whose weight decay is above zero."""
    decayed = torch.zeros(RUNS, PARAMETERS, dtype=torch.float64)
    decayed[1, ::2], decayed[2] = 0.5, 1.0
    bowls = Bowls.of(specimen, decay=decayed)
    before, after = random(0), bowls.steps(10, lambda gradients: gradients.zero_())
    idle = decayed == 0
    must(
        torch.equal(before[idle], after[idle]),
        "parameters without gradient and without weight decay move",
        "use weight_decay [runs, parameters] as it is given",
    )
    shrunk = (after[~idle].abs() < before[~idle].abs()) & (after[~idle] * before[~idle] > 0)
    must(
        shrunk.all(),
        f"{int((~shrunk).sum())} of {len(shrunk)} parameters with weight decay do not shrink",
        "add parameters.addcmul_(parameters, learning_rate * weight_decay, value=-1), "
        "or weight_decay * parameters to the gradient",
    )


@promises(
    "optimizer",
    why="a unit that is never active has a gradient of zero, and runs are long",
    instead="add an epsilon where you divide, and correct for bias by `count`",
)
def bears_a_zero_gradient(specimen: Specimen) -> None:
    """Zero, tiny and large gradients, and late steps, give no NaN."""
    for scale in (0.0, 1e-30, 1e15):
        for taken in (0, 10**7):
            bowls = Bowls.of(specimen, taken=taken)
            ends = bowls.steps(3, lambda gradients, scale=scale: gradients.mul_(scale))  # type: ignore[misc]
            where = f"with gradients of about {scale:g} at step {taken + 1}"
            must(ends.isfinite().all(), f"{where}, parameters are not finite")


@promises(
    "optimizer", why="gradients point uphill", instead="subtract the update from the parameters"
)
def goes_downhill(specimen: Specimen) -> None:
    """On a quadratic bowl, the loss falls for at least one of three learning rates."""
    for rate in RATES:
        still = torch.zeros(RUNS, PARAMETERS, dtype=torch.float64)
        bowls = Bowls.of(specimen, rate=column(rate, rate, rate), decay=still)
        before = (bowls.parameters - bowls.target).square().sum(1)
        after = (bowls.steps(50) - bowls.target).square().sum(1)
        if bool((after < before).all()):
            return
    raise Fault(f"50 steps lead no run downhill at any learning rate of {listed(RATES)}")


@promises(
    "optimizer",
    why='a recipe with norm = "initial" rescales each run\'s parameters after every step',
    instead="step from `parameters` as they are given, and keep no copy of them",
)
def bears_a_held_norm(specimen: Specimen) -> None:
    """Rescaled after every step, parameters stay finite, and each run ends where it ends alone."""
    stack = Bowls.of(specimen)
    together = stack.held_steps(10)
    must(together.isfinite().all(), "rescaled after every step, parameters are not finite")
    for row in range(RUNS):
        alone = stack.rows(specimen, [row]).held_steps(10)
        must(near(alone[0], together[row]), f"rescaled, run {row} ends elsewhere than alone")
    # A learning rate of zero shows where a step begins.
    still = Bowls.of(specimen, rate=column(0, 0, 0))
    still.steps(3)
    still.parameters.mul_(0.5)
    must(
        torch.equal(still.steps(1), random(0) * 0.5),
        "a step does not begin at the parameters that it is given, once they were rescaled",
    )


@promises("optimizer", why="an interrupted run could not be continued with the same bits")
def goes_on_from_its_state(specimen: Specimen) -> None:
    """Restored from a checkpoint, it ends in the same bits; and so do some of its runs alone."""
    whole = Bowls.of(specimen).steps(10)
    first = Bowls.of(specimen)
    first.steps(5)
    state = written_and_read(first.optimizer.state())
    second = Bowls.of(specimen, taken=5)
    second.parameters = first.parameters.clone()
    second.optimizer.restore(state)
    must(
        torch.equal(whole, second.steps(5)),
        "restored after five steps, it ends elsewhere than without the interruption",
        "keep everything that steps depend on in tensors that start() makes",
    )
    rows = [0, 2]
    kept = {n: v[rows] if isinstance(v, Tensor) and v.ndim > 1 else v for n, v in state.items()}
    fewer = second.rows(specimen, rows)
    fewer.parameters, fewer.taken = first.parameters[rows].clone(), 5
    fewer.optimizer.restore(kept)
    must(
        near(whole[rows], fewer.steps(5)),
        "when a diverged run leaves the stack, the others end elsewhere",
        "give each run's state its own row, in tensors whose first dimension is the run",
    )


def written_and_read(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state after it was written to a checkpoint and read again."""
    for name, value in state.items():
        with must_work(
            f"writing its state {name} = {reprlib.repr(value)} to a checkpoint and reading it again",
            "keep tensors, numbers, text, lists and dicts as attributes after start(); write "
            "float(…) around numpy's numbers, and functions as methods",
        ):
            through_a_file(value)
    read: dict[str, Any] = through_a_file(dict(state))
    return read


def through_a_file(value: Any) -> Any:
    content = io.BytesIO()
    torch.save(value, content)
    content.seek(0)
    return torch.load(content, weights_only=True)


@promises(
    "optimizer",
    why="every step would wait for the device, and a step could not be captured",
    instead="write torch.where(…) and clamp_ instead of `if`, and no .item(), float() or int()",
)
def reads_nothing_back(specimen: Specimen) -> None:
    """A step looks at no value, so that it can be captured and replayed on a GPU."""
    Bowls.of(specimen)
    shapes = Bowls(specimen.make())
    parameters, rate, decay = (
        one.to("meta") for one in (shapes.parameters, shapes.rate, shapes.decay)
    )
    count = torch.ones((), dtype=torch.float64, device="meta")
    with must_work("a step on tensors that have shapes and no values"):
        shapes.optimizer.start(parameters)
        shapes.optimizer.step(parameters, torch.empty_like(parameters), rate, decay, count)
