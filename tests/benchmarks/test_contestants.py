"""All contestants do the same optimization."""

from __future__ import annotations

import pytest

from benchmarks.contestants import OTHERS, Contestant
from benchmarks.contestants.plain_loop import PlainLoop
from benchmarks.contestants.torch_func import TorchFunc
from benchmarks.contestants.trainer import Trainer
from benchmarks.setting import one_layer

RUNS = [one_layer(8, seed, modulus=11, data_size=60) for seed in range(3)]
STEPS = 5


def loss_after(kind: type[Contestant]) -> float:
    contestant = kind(RUNS, "cpu")
    contestant.advance(STEPS)
    return contestant.loss()


@pytest.fixture(scope="module")
def expected() -> float:
    return loss_after(PlainLoop)


@pytest.mark.parametrize("kind", [Trainer, TorchFunc])
def test_contestants_make_the_same_steps_from_the_same_start(
    kind: type[Contestant], expected: float
) -> None:
    assert pytest.approx(expected, rel=1e-5) == loss_after(kind)
    assert pytest.approx(expected, rel=1e-3) != kind(RUNS, "cpu").loss()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["JAX", "JAX, last position"])
def test_jax_makes_the_same_steps(name: str, expected: float) -> None:
    pytest.importorskip("jax")
    (entry,) = (entry for entry in OTHERS if entry.name == name)
    assert pytest.approx(expected, rel=1e-5) == loss_after(entry.load())
