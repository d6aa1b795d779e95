"""Every program trains as the plain loop does: in float64, and step by step in float32."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from torch import Tensor

from grokbench.record import Choice, ModelSize, Run
from grokbench.training.cohort import CohortTraining
from studies.distributions.plain_loop import PlainLoop
from studies.distributions.programs import PROGRAMS, cohort_with
from tests.training.small_runs import ADDITION, MIXTURE, PLUGINS, STEADY, run

DEEP = "two split layers with norm"
CASES = {
    "dense": (ADDITION, "dense", ModelSize(8)),
    DEEP: (MIXTURE, Choice("split_ffn", {"layer_norm": True}), ModelSize(8, layers=2)),
}
EVERY = [
    (case, program)
    for case in CASES
    for program in PROGRAMS
    if not (program == "factored" and case == DEEP)
]
COMPILED = [(case, program) for case, program in EVERY if program != "one by one"]
PLAIN_AND_COMPILED = [
    *(pytest.param(case, program, False, id=f"{program}, {case}") for case, program in EVERY),
    *(
        pytest.param(case, program, True, id=f"{program} compiled, {case}", marks=pytest.mark.slow)
        for case, program in COMPILED
    ),
]
ORDERS = ((4,), (6, 2), (0, 1, 2, 3, 4, 5, 6), (5, 0, 3, 6, 1, 4, 2))
"""The runs of a stack: one, two, seven, and seven in another order."""
POINTS = {"float64": (0, 20), "float32": (0, 1, 10, 50, 60, 200)}
"""The steps at which programs are compared with plain loops."""

# Torch's own, when its compiler is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    """Torch's compiler silently stops compiling a function that it has compiled too often."""
    yield
    torch._dynamo.reset()


def seven(case: str, precision: str) -> list[Run]:
    """No two of them agree in data size, seed, learning rate and weight decay."""
    task, architecture, size = CASES[case]
    return [
        run(
            task, architecture, size, 30 + 6 * seed, seed, precision=precision, optimizer=STEADY,
            learning_rate=5e-4 * (1 + seed % 3), weight_decay=0.5 * (seed % 4),
        )
        for seed in range(7)
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Point:
    """The state of a plain loop before and after a step; all but outputs are [parameters].

    `exact` is the gradient in float64 at the same weights.
    """

    taken: int
    parameters: Tensor
    first: Tensor
    second: Tensor
    outputs: Tensor
    gradient: Tensor
    exact: Tensor
    after: Tensor


MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}
FIELDS = tuple(Point.__annotations__)[1:]


@cache
def journey(one: Run) -> dict[int, Point]:
    """The plain loop's states at POINTS, by steps taken."""
    loop, points, found = PlainLoop(one, PLUGINS), POINTS[one.recipe.precision], {}
    every = torch.ones_like(loop.examples.train)
    while loop.taken <= max(points):
        if loop.taken not in points:
            loop.step()
            continue
        taken, exact = loop.taken, copy.deepcopy(loop)
        before = loop.parameters, *map(loop.moments, MOMENTS.values())
        outputs = loop.outputs(every).detach()
        loop.step()
        exact.model.double()
        exact.differentiate()
        found[taken] = Point(
            taken, *before, outputs, loop.gradient, exact.gradient, loop.parameters
        )
    return found


def met(runs: Sequence[Run], taken: int) -> dict[str, Tensor]:
    """All runs' points, one row for each run."""
    points = [vars(journey(one)[taken]) for one in runs]
    return {name: torch.stack([point[name] for point in points]) for name in FIELDS}


def place(training: CohortTraining, taken: int, point: Mapping[str, Tensor]) -> None:
    """Put a training into the state of the plain loops."""
    training.restore(
        {
            **training.state(),
            "taken": taken,
            "parameters": point["parameters"],
            "optimizer": {**training.optimizer.state(), **{name: point[name] for name in MOMENTS}},
        }
    )


def distance(found: Tensor, expected: Tensor) -> Tensor:
    """The distance, relative to what is expected: [runs]."""
    found, expected = found.double(), expected.double()
    return (found - expected).norm(dim=1) / expected.norm(dim=1)


@pytest.mark.parametrize(("case", "program", "compiled"), PLAIN_AND_COMPILED)
def test_in_float64_a_run_is_its_plain_loop_whatever_stands_beside_it(
    case: str, program: str, compiled: bool
) -> None:
    """Gradients agree to 1e-12, a step to 1e-15, 20 steps to 1e-8; before and after training."""
    runs = seven(case, "float64")
    for order in ORDERS[-1:] if compiled else ORDERS:
        ordered = [runs[i] for i in order]
        training = cohort_with(program, ordered, PLUGINS, compiled=compiled)
        for taken in (20, 0):
            point = met(ordered, taken)
            place(training, taken, point)
            found = training.program.outputs(training.by_name)
            torch.testing.assert_close(found, point["outputs"], rtol=1e-11, atol=1e-11)
            training.step()
            assert (distance(training.gradients, point["gradient"]) <= 1e-12).all()
            assert (distance(training.parameters, point["after"]) <= 1e-15).all()
        for _ in range(19):
            training.step()
        assert (distance(training.parameters, met(ordered, 20)["parameters"]) <= 1e-8).all()


@pytest.mark.parametrize(("case", "program", "compiled"), PLAIN_AND_COMPILED)
def test_in_float32_every_step_of_a_plain_loop_is_the_programs_and_so_are_ten_together(
    case: str, program: str, compiled: bool
) -> None:
    """Each step starts from the plain loop's state, so that chaos does not grow; then ten steps to
    1e-5.

    The gradient is that of float64 to 1e-5; or, where layer norms make it ill-conditioned, to
    three times what the plain loop misses it by. The step is the plain loop's to float32's
    rounding of the parameters.
    """
    runs = seven(case, "float32")[:2]
    training = cohort_with(program, runs, PLUGINS, compiled=compiled)
    for taken in POINTS["float32"]:
        point = met(runs, taken)
        place(training, taken, point)
        training.step()
        allowed = (3 * distance(point["gradient"], point["exact"])).clamp(min=1e-5)
        assert (distance(training.gradients, point["exact"]) <= allowed).all()
        assert (distance(training.parameters, point["after"]) <= 1e-7).all()
    for taken in (0, 50):
        place(training, taken, met(runs, taken))
        for _ in range(10):
            training.step()
        assert (distance(training.parameters, met(runs, taken + 10)["parameters"]) <= 1e-5).all()
