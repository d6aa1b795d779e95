"""Compiling changes nothing but speed; without a compiler that is right, programs stay plain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from grokbench.architectures import Program
from grokbench.record import ModelSize, Run
from grokbench.training.checkpoints import Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.compiling import COMPILED_WORK, COMPILING_SECONDS, compile_program, pays
from grokbench.training.loop import train, train_to_end
from tests.training.small_runs import ADDITION, PLUGINS, TEACHER, run

DEEP = ModelSize(8, 2)
CASES = {
    "factored": (ADDITION, "dense", 8),
    "prefix": (ADDITION, "dense", DEEP),
    "stacked": (TEACHER, "perceptron", 8),
    "one by one with dropout": (ADDITION, "dropping", 8),
    "one by one with batch norm": (TEACHER, "normalizing", 8),
}
Compiler = Callable[..., Callable[..., Any]]


def runs_of(case: str) -> list[Run]:
    task, architecture, size = CASES[case]
    return [run(task, architecture, size, data, seed=data) for data in (50, 33)]


def faithful(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Returns the function itself: its results have the same bits."""
    return function


def without_a_compiler(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Fails at the first call, as torch's does."""

    def compiled(*arguments: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    return compiled


def refusing(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Fails at once."""
    raise RuntimeError("torch.compile is not supported on Python 3.99+")


def wrong_by(error: Callable[[Tensor], Tensor]) -> Compiler:
    """A compiler whose programs give wrong numbers."""

    def wrong(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def compiled(*arguments: Any) -> Any:
            given = function(*arguments)
            if isinstance(given, Tensor):
                return error(given)
            for gradient in arguments[1].values():
                gradient.copy_(error(gradient))
            return None

        return compiled

    return wrong


BAD: dict[str, Compiler] = {
    "no compiler": without_a_compiler,
    "no such version": refusing,
    "half": wrong_by(lambda value: value / 2),
    "not a number": wrong_by(lambda value: value * torch.nan),
    "infinite": wrong_by(lambda value: value / 0),
}


@contextmanager
def compiling(monkeypatch: pytest.MonkeyPatch, compiler: Compiler) -> Iterator[None]:
    """Within the block, every cohort is compiled, by `compiler`."""
    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", compiler)
        patch.setitem(COMPILED_WORK, "cpu", 0.0)
        yield


def trained(runs: list[Run]) -> CohortTraining:
    training = Safekeeping().begin(
        runs, partial(CohortTraining, runs, PLUGINS, torch.device("cpu"))
    )
    assert training is not None
    assert train_to_end(training, lambda step, accuracy: None, Safekeeping())
    return training


@pytest.mark.parametrize("compiler", BAD)
@pytest.mark.parametrize("case", CASES)
def test_a_compiler_that_fails_or_is_wrong_is_not_used_and_leaves_no_trace(
    case: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of(case)
    plain = trained(runs)
    with compiling(monkeypatch, BAD[compiler]):
        found = trained(runs)
    assert not found.program.compiled
    assert torch.equal(plain.parameters, found.parameters)


def test_with_too_little_time_left_nothing_is_begun_that_is_to_be_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A budget is kept: such a cohort waits for more time, and other cohorts are trained."""
    runs, asked = runs_of("factored"), []

    def faithfully(*arguments: Any, **options: Any) -> Any:
        asked.append(1)
        return faithful(*arguments, **options)

    short = Safekeeping(deadline=time.monotonic() + COMPILING_SECONDS / 2)
    long = Safekeeping(deadline=time.monotonic() + 100 * COMPILING_SECONDS)
    with compiling(monkeypatch, faithfully):
        assert [] == train(runs, PLUGINS, safekeeping=short)
        assert [] == asked
        assert len(runs) == len(train(runs, PLUGINS, safekeeping=long))
        assert [1] == asked
    assert len(runs) == len(train(runs, PLUGINS, safekeeping=short))


@pytest.mark.parametrize("case", CASES)
def test_what_is_compiled_rightly_is_used_and_trains_to_the_same_end(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of(case)
    plain = trained(runs)
    with compiling(monkeypatch, faithful):
        found = trained(runs)
    assert found.program.compiled == (not case.startswith("one by one"))
    assert torch.equal(plain.parameters, found.parameters)


class Fixed(Program):
    """Gives the gradients that the test names: one for the plain program, one for the compiled."""

    def __init__(self, plain: list[float], compiled: list[float]) -> None:
        self.plain_ones, self.compiled_ones = plain, compiled

    def gradient(self, parameters: Any, gradients: Any) -> None:
        values = self.compiled_ones if self.compiled else self.plain_ones
        for gradient, value in zip(gradients.values(), values, strict=True):
            gradient.fill_(value)

    def outputs(self, parameters: Any) -> Tensor:
        raise NotImplementedError

    def compile(self) -> None:
        self.compiled = True


@pytest.mark.parametrize(
    ("plain", "compiled", "agrees"),
    [
        ([1.0, 1e-3], [1.0, 1e-3], True),
        ([1.0, 1e-3], [1.01, 0.99e-3], True),
        ([1.0, 1e-3], [1.0, 1.1e-3], False),
        ([1.0, 1e-9], [1.0, -1e-9], True),
        ([1.0, 0.0], [1.0, 1e-9], True),
        ([1.0, 0.0], [1.0, 1e-3], False),
        ([0.0, 0.0], [0.0, 0.0], True),
        ([0.0, 0.0], [0.0, 1e-9], False),
    ],
)
def test_gradients_agree_to_a_few_hundredths_but_for_what_is_rounding_alone(
    plain: list[float], compiled: list[float], agrees: bool
) -> None:
    program = Fixed(plain, compiled)
    views = {name: torch.zeros(2, 3) for name in "ab"}
    compile_program(program, views, views)
    assert agrees == program.compiled


def test_the_same_runs_are_compiled_or_not_whatever_their_seeds_and_rates() -> None:
    """Runs with more steps or more examples are compiled at a smaller size."""
    cpu, steps = torch.device("cpu"), 10**6
    enough = COMPILED_WORK["cpu"] / (6 * steps * 2 * 50)
    for parameters, expected in ((int(enough * 0.99), False), (int(enough * 1.01), True)):
        for seed, rate in ((0, 1e-3), (7, 1.0)):
            runs = [run(steps=steps, seed=seed + i, learning_rate=rate) for i in range(2)]
            assert expected == pays(runs, parameters, cpu)
        longer = [run(steps=2 * steps, seed=seed) for seed in range(2)]
        assert pays(longer, parameters, cpu)
        assert not pays(longer[:1], int(parameters * 0.99), cpu)
        assert not pays(longer, parameters, torch.device("cuda"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, when dynamo is imported
@pytest.mark.parametrize("case", ["factored", "prefix", "stacked"])
def test_torchs_own_compiler_gives_a_program_that_trains_alike(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of(case)
    plain = trained(runs)
    with monkeypatch.context() as patch:
        patch.setitem(COMPILED_WORK, "cpu", 0.0)
        compiled = trained(runs)
    assert compiled.program.compiled
    torch.testing.assert_close(
        compiled.meter.evaluations.latest(), plain.meter.evaluations.latest(), rtol=1e-3, atol=1e-5
    )
