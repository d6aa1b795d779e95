"""What an optimizer promises of its steps."""

from __future__ import annotations

import copy
import io
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from grokbench.optimizers.base import Optimizer
from grokbench.plugins import describe
from grokbench.testing.conformance.checks import Fault, Specimen, listed, once, promises
from grokbench.testing.conformance.global_state import changed, disturb

RUNS, PARAMETERS = 3, 12

RATES = (1e-3, 1e-2, 1e-1)
"""Learning rates of which one at least should go downhill."""


def random(seed: int) -> Tensor:
    """Numbers [runs, parameters] of which none is near zero."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(RUNS, PARAMETERS, generator=generator, dtype=torch.float64)
    return numbers + numbers.sign()


@dataclass(eq=False)
class Trial:
    """A stack of quadratic bowls, each run with a target of its own, on its way down."""

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
    def of(cls, specimen: Specimen, **given: Any) -> Trial:
        trial, descent = cls(specimen.make()), cls(specimen.make(), **given)
        with once("changes_parameters_in_place"):
            trial.optimizer.start(trial.parameters)
            trial.step()
        descent.optimizer.start(descent.parameters)
        return descent

    def rows(self, specimen: Specimen, rows: Sequence[int]) -> Trial:
        """Some of its runs alone, from the beginning."""
        picked = torch.tensor(rows)
        return Trial.of(
            specimen,
            parameters=random(0)[picked].to(self.parameters.dtype),
            target=self.target[picked],
            rate=self.rate[picked],
            decay=self.decay[picked],
        )

    def step(self, spoil: Callable[[Tensor], object] = lambda gradients: None) -> None:
        gradients = self.parameters - self.target
        spoil(gradients)
        self.taken += 1
        self.count = torch.tensor(float(self.taken), dtype=torch.float64)
        self.optimizer.step(self.parameters, gradients, self.rate, self.decay, self.count)

    def idle(self, number: int) -> None:
        """So many steps with a gradient of zero."""
        for _ in range(number):
            self.step(lambda gradients: gradients.zero_())

    def steps(self, number: int) -> Tensor:
        for _ in range(number):
            self.step()
        return self.parameters


def near(first: Tensor, second: Tensor) -> bool:
    """Equal but for rounding: kernels may add in another order at the end of a row."""
    return torch.allclose(first, second, rtol=1e-12, atol=1e-13, equal_nan=True)


@promises("optimizer")
def changes_parameters_in_place(specimen: Specimen) -> None:
    """A step writes the new parameters into the tensor it was given."""
    descent = Trial(specimen.make())
    storage = descent.parameters.data_ptr()
    descent.optimizer.start(descent.parameters)
    descent.steps(3)
    if torch.equal(descent.parameters, random(0)) or descent.parameters.data_ptr() != storage:
        raise Fault(
            "after three steps the parameters are what they were",
            "names and captured graphs are views into one tensor",
            "write parameters.add_(…) or parameters.copy_(…), not parameters = …",
        )
    if descent.parameters.dtype != torch.float64 or not descent.parameters.isfinite().all():
        raise Fault(
            f"after three steps the parameters are {descent.parameters.flatten()[:4]}",
            "gradients and rates were moderate",
            "look at the first step, where moments are zero",
        )


@promises("optimizer")
def start_changes_nothing(specimen: Specimen) -> None:
    """start() makes its state and leaves the parameters as they are."""
    if not torch.equal(Trial.of(specimen).parameters, random(0)):
        raise Fault(
            "start() changes the parameters",
            "initial weights are part of a run's identity",
            "write .clone() where start() needs a copy of its own",
        )


@promises("optimizer")
def keeps_its_state_in_place(specimen: Specimen) -> None:
    """A step changes the tensors that start() made, and no other attribute."""
    descent = Trial.of(specimen)

    def tensors() -> dict[str, int]:
        state = descent.optimizer.state()
        return {name: one.data_ptr() for name, one in state.items() if isinstance(one, Tensor)}

    def others() -> dict[str, Any]:
        state = descent.optimizer.state()
        return {name: one for name, one in state.items() if not isinstance(one, Tensor)}

    before, plain = tensors(), copy.deepcopy(others())
    descent.steps(3)
    replaced = [n for n in {**before, **tensors()} if before.get(n) != tensors().get(n)]
    if replaced:
        raise Fault(
            f"step() makes or replaces {listed(replaced)}",
            "a step may be captured once and replayed, and checkpoints go into the same tensors",
            "make every tensor in start(), and write into it: self.first.mul_(…).add_(…)",
        )
    names = [name for name in {**plain, **others()} if plain.get(name) != others().get(name)]
    if names:
        raise Fault(
            f"step() changes {listed(names)}, which is no tensor",
            "a captured step would change it once, and replays would not",
            "use `count` for the number of the step, or a tensor changed in place",
        )


@promises("optimizer")
def changes_nothing_else(specimen: Specimen) -> None:
    """Learning rates, weight decays, the count of steps and global state are as before."""
    descent = Trial.of(specimen)
    rate, decay = descent.rate.clone(), descent.decay.clone()
    touched = changed(lambda: descent.steps(2))
    touched += [
        name
        for name, before, after in (
            ("learning_rate", rate, descent.rate),
            ("weight_decay", decay, descent.decay),
            ("count", torch.tensor(2.0, dtype=torch.float64), descent.count),
        )
        if not torch.equal(before, after)
    ]
    if touched:
        raise Fault(
            f"step() changes {' and '.join(touched)}",
            "they belong to the recipe, or to whatever else runs in the process",
            "work in tensors of your own",
        )


@promises("optimizer")
def same_start_same_end(specimen: Specimen) -> None:
    """Steps do not depend on global random generators."""
    disturb(1)
    first = Trial.of(specimen).steps(5)
    disturb(2)
    if not torch.equal(first, Trial.of(specimen).steps(5)):
        raise Fault(
            "five steps from one start end in two places",
            "a run could not be repeated",
            "draw nothing in step(), or from a generator seeded in start()",
        )


@promises("optimizer")
def a_run_is_the_same_in_a_stack(specimen: Specimen) -> None:
    """A stack of runs ends where its runs end one by one."""
    stack = Trial.of(specimen)
    together = stack.steps(10)
    for row in range(RUNS):
        alone = stack.rows(specimen, [row]).steps(10)
        if not near(alone[0], together[row]):
            raise Fault(
                f"run {row} ends {float((alone[0] - together[row]).abs().max()):.2g} away from "
                "where it ends alone",
                "rows are runs of their own and must not mix",
                "reduce over dim=1 with keepdim=True, never over all of a tensor",
            )


@promises("optimizer")
def a_diverged_run_harms_no_other(specimen: Specimen) -> None:
    """A row that is not finite leaves the other rows as they would be."""
    well, ill = Trial.of(specimen), Trial.of(specimen)
    expected = well.steps(5)[1:]
    for _ in range(5):
        ill.step(lambda gradients: gradients[0].fill_(torch.nan))
    if not near(expected, ill.parameters[1:]):
        raise Fault(
            "when one run's gradient is NaN, the others end elsewhere",
            "a stack goes on when one of its runs has diverged",
            "reduce over dim=1 with keepdim=True, never over all of a tensor",
        )


@promises("optimizer")
def obeys_each_learning_rate(specimen: Specimen) -> None:
    """Each run moves by its own learning rate, and one with rate zero not at all."""
    frozen = Trial.of(specimen)
    frozen.rate = torch.tensor([[0.0], [1e-2], [3e-2]], dtype=torch.float64)
    frozen.steps(5)
    if not torch.equal(frozen.parameters[0], random(0)[0]):
        raise Fault(
            "a run whose learning rate is 0 moves",
            "warm-up and recipes act through `learning_rate` [runs, 1]",
            "multiply the whole update by learning_rate, decay included",
        )
    slow, fast = Trial.of(specimen), Trial.of(specimen)
    fast.rate = fast.rate * torch.tensor([[2.0], [1.0], [1.0]], dtype=torch.float64)
    first, second = slow.steps(3), fast.steps(3)
    if near(first[0], second[0]) or not near(first[1:], second[1:]):
        raise Fault(
            "doubling one run's learning rate does not change that run, and no other",
            "a recipe's learning rate is each run's own",
            "multiply updates by learning_rate as it is given, [runs, 1]",
        )


@promises("optimizer")
def obeys_each_weight_decay(specimen: Specimen) -> None:
    """Without a gradient, exactly those parameters shrink whose weight decay is above zero."""
    descent = Trial.of(specimen)
    decayed = torch.zeros(RUNS, PARAMETERS, dtype=torch.float64)
    decayed[1, ::2], decayed[2] = 0.5, 1.0
    descent.decay = decayed
    descent.idle(10)
    before, after = random(0), descent.parameters
    idle = decayed == 0
    if not torch.equal(before[idle], after[idle]):
        raise Fault(
            "parameters without gradient and without weight decay move",
            "a recipe's weight decay of 0, and decay_on, say that nothing decays",
            "use weight_decay [runs, parameters] as it is given",
        )
    shrunk = (after[~idle].abs() < before[~idle].abs()) & (after[~idle] * before[~idle] > 0)
    if not bool(shrunk.all()):
        raise Fault(
            f"{int((~shrunk).sum())} of {len(shrunk)} parameters with weight decay do not shrink",
            "the recipe's weight decay would be without effect, and grokking hangs on it",
            "add parameters.addcmul_(parameters, learning_rate * weight_decay, value=-1), "
            "or weight_decay * parameters to the gradient",
        )


@promises("optimizer")
def bears_a_zero_gradient(specimen: Specimen) -> None:
    """Zero, tiny and large gradients, and late steps, give no NaN."""
    for scale in (0.0, 1e-30, 1e15):
        for taken in (0, 10**7):
            descent = Trial.of(specimen)
            descent.taken = taken
            for _ in range(3):
                descent.step(lambda gradients, scale=scale: gradients.mul_(scale))  # type: ignore[misc]
            if not bool(descent.parameters.isfinite().all()):
                raise Fault(
                    f"with gradients of about {scale:g} at step {taken + 1}, parameters are not "
                    "finite",
                    "a unit that is never active has a gradient of zero, and runs are long",
                    "add an epsilon where you divide, and correct for bias by `count`",
                )


@promises("optimizer")
def goes_downhill(specimen: Specimen) -> None:
    """On a quadratic bowl, at one of three learning rates, the loss falls."""
    for rate in RATES:
        descent = Trial.of(specimen)
        descent.rate, descent.decay = torch.full_like(descent.rate, rate), descent.decay * 0
        before = (descent.parameters - descent.target).square().sum(1)
        after = (descent.steps(50) - descent.target).square().sum(1)
        if bool((after < before).all()):
            return
    raise Fault(
        "50 steps down a quadratic bowl lead no run downhill at any learning rate of "
        f"{listed(RATES)}",
        "gradients point uphill",
        "subtract the update from the parameters",
    )


@promises("optimizer")
def goes_on_from_its_state(specimen: Specimen) -> None:
    """Written down and restored, it ends in the same bits; and so do some of its rows alone."""
    whole = Trial.of(specimen).steps(10)
    first = Trial.of(specimen)
    first.steps(5)
    state = written_and_read(first.optimizer.state())
    second = Trial.of(specimen)
    second.parameters, second.taken = first.parameters.clone(), 5
    second.optimizer.restore(state)
    if not torch.equal(whole, second.steps(5)):
        raise Fault(
            "restored after five steps, it ends elsewhere than without the interruption",
            "a checkpoint promises the same bits",
            "keep all that steps depend on in tensors made in start()",
        )
    rows = [0, 2]
    kept = {n: v[rows] if isinstance(v, Tensor) and v.ndim > 1 else v for n, v in state.items()}
    fewer = second.rows(specimen, rows)
    fewer.parameters, fewer.taken = first.parameters[rows].clone(), 5
    fewer.optimizer.restore(kept)
    if not near(whole[rows], fewer.steps(5)):
        raise Fault(
            "when a diverged run leaves the stack, the others end elsewhere",
            "tensors of two dimensions or more keep a row a run",
            "give each run's state its own row, first dimension",
        )


def written_and_read(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state after a trip through a file, as a checkpoint takes it.

    Raises:
        Fault: it cannot be written, or not be read.
    """
    for name, value in state.items():
        content = io.BytesIO()
        try:
            torch.save(value, content)
            content.seek(0)
            torch.load(content, weights_only=True)
        except Exception as error:
            what = f"{name} = {reprlib.repr(value)}"
            raise Fault(
                f"its state {what} cannot be written to a checkpoint and read again: "
                f"{type(error).__name__}",
                "a run that was interrupted could not be gone on with",
                "keep tensors, numbers, text, lists and dicts as attributes after start(); write "
                "float(…) around numpy's numbers, and functions as methods",
            ) from error
    content = io.BytesIO()
    torch.save(dict(state), content)
    content.seek(0)
    read: dict[str, Any] = torch.load(content, weights_only=True)
    return read


@promises("optimizer")
def reads_nothing_back(specimen: Specimen) -> None:
    """A step looks at no value, so that it can be captured and replayed on a GPU."""
    _ = Trial.of(specimen)
    shapes = Trial(specimen.make())
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
            "a device would be waited for at every step, and a step could not be captured",
            "write torch.where(…) and clamp_ instead of `if`, and no .item(), float() or int()",
        ) from error
