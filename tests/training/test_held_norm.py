"""A recipe with `norm = "initial"` is a plain loop that rescales the parameters after every step."""

from __future__ import annotations

import numpy as np
import pytest

from grokbench.record import Choice, ModelSize, Run, Status
from grokbench.training import train
from tests.training.plain import in_a_plain_loop
from tests.training.small_runs import DIGITS, PLUGINS, STEADY, TEACHER, run, trained

SEVEN = Choice("modular_addition", {"modulus": 7})
NESTEROV = Choice("sgd", {"momentum": 0.9, "nesterov": True})
CASES = {
    "factored": (SEVEN, "dense", ModelSize(8), STEADY),
    "factored, sgd": (SEVEN, "dense", ModelSize(8), NESTEROV),
    "prefix": (SEVEN, "dense", ModelSize(8, layers=2), STEADY),
    "stacked": (TEACHER, "perceptron", ModelSize(8), STEADY),
    "stacked images, sgd": (DIGITS, "mlp", ModelSize(8), NESTEROV),
    "one by one": (SEVEN, "lstm", ModelSize(8), STEADY),
    "one by one with batch norm": (TEACHER, "normalizing", ModelSize(8), NESTEROV),
    "a frozen parameter": (SEVEN, "frozen", ModelSize(8), STEADY),
}


def runs_of(case: str, steps: int) -> list[Run]:
    task, architecture, size, optimizer = CASES[case]
    faster = 10 if optimizer is NESTEROV else 1
    return [
        run(
            task, architecture, size, data, seed, optimizer=optimizer, steps=steps,
            learning_rate=faster * rate, weight_decay=decay, initial_scale=scale, norm="initial",
            precision="float64",
        )
        for seed, (data, rate, decay, scale) in enumerate(
            [(20, 5e-4, 1.0, 1.0), (33, 1e-3, 0.1, 0.8)]
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * case.startswith("prefix")) for case in CASES],
)
def test_300_steps_end_where_a_plain_loop_ends_to_1e_8_stacked_and_alone(case: str) -> None:
    # Training with batch norm is chaotic here, with the norm free as well: a rounding error grows from 1e-16 to
    # 1e-9 in 100 steps. An LSTM in a plain loop is slow.
    runs = runs_of(case, steps=40 if case.startswith("one by one") else 300)
    together = trained(runs)
    alone = trained(runs[1:2])
    expected = [in_a_plain_loop(one) for one in runs]
    for found, wanted in [*zip(together, expected, strict=True), (alone[0], expected[1])]:
        assert (found - wanted).norm() <= 1e-8 * wanted.norm()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_norm_stays_at_its_initial_value_and_the_free_norm_does_not(precision: str) -> None:
    held, free = (
        train([run(SEVEN, data_size=30, steps=200, norm=norm, precision=precision)], PLUGINS)[0]
        for norm in ("initial", "free")
    )
    norms = held.curves["parameter_norm"]
    np.testing.assert_allclose(norms, norms[0], rtol=2e-7)
    assert free.curves["parameter_norm"][0] == norms[0]
    assert abs(free.curves["parameter_norm"][-1] / norms[0] - 1) > 0.03


def test_initial_parameters_that_are_all_zero_are_refused_in_words() -> None:
    one = run(SEVEN, data_size=30, initial_scale=1e-300, norm="initial")
    [record] = train([one], PLUGINS)
    assert Status.FAILED is record.status
    assert 'write norm = "free" in the recipe' in record.message
