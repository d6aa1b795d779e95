"""The ways of training that are compared, and what each comparison must find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grokbench.record import Choice, ModelSize, Recipe, Run

Verdict = Literal["not told apart", "told apart"]


@dataclass(frozen=True)
class Way:
    """One way of training."""

    program: str | None
    """The trainer's program, by name; None: the plain loop."""
    compiled: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe that differ from the plain loop's."""
    first_seed: int = 0
    expected: Verdict | None = "not told apart"
    """What the comparison with the plain loop must say; None where either is acceptable."""


def adamw(second: float = 0.98) -> Choice:
    return Choice("adamw", {"betas": (0.9, second)})


PLAIN = "plain loop"
WAYS = {
    PLAIN: Way(None),
    "modules one by one": Way("one by one"),
    "modules stacked": Way("stacked"),
    "factored": Way("factored"),
    "prefix": Way("prefix"),
    "factored, compiled": Way("factored", compiled=True),
    "factored, other seeds": Way("factored", first_seed=1000),
    "prefix, bfloat16": Way("prefix", changes={"precision": "bfloat16"}, expected=None),
    "control: learning rate × 1.5": Way(
        "factored", changes={"learning_rate": 4.5e-3}, expected="told apart"
    ),
    "control: weight decay × 1.5": Way(
        "factored", changes={"weight_decay": 1.5}, expected="told apart"
    ),
    "control: beta₂ = 0.9": Way(
        "factored", changes={"optimizer": adamw(0.9)}, expected="told apart"
    ),
}
"""The controls train something else on purpose: a comparison that misses them shows nothing."""


def small(seed: int, steps: int, changes: Mapping[str, Any]) -> Run:
    """A cell of `suites/quick-fixed.toml`: hidden size 16, 650 examples."""
    recipe: dict[str, Any] = {
        "optimizer": adamw(), "steps": steps, "learning_rate": 3e-3, "evaluate_every": 10, **changes
    }  # fmt: skip
    task = Choice("modular_addition", {"modulus": 31, "split": "ordered"})
    return Run(task, Choice("dense"), ModelSize(16), 650, seed, Recipe(**recipe))
