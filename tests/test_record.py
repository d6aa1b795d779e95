"""What the id of a run depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from grokbench.record import Choice, ModelSize, Recipe, Run

PUBLISHED = Run(
    Choice("modular_addition", {"modulus": 31, "split": "ordered"}),
    Choice(
        "dense",
        {"heads": 4, "mlp_ratio": 4, "layer_norm": False, "initialization": "scaled_normal"},
    ),
    ModelSize(4),
    350,
    160,
    Recipe(
        Choice("adamw", {"betas": [0.9, 0.98], "epsilon": 1e-8}),
        steps=6000,
        learning_rate=3e-3,
        evaluate_every=50,
    ),
)
"""A run of results/quick."""


@dataclass(frozen=True)
class LaterRecipe(Recipe):
    """A recipe of a later version, with a field that the first version did not have."""

    batch_size: int | None = None


def later(**fields: object) -> Run:
    return replace(PUBLISHED, recipe=LaterRecipe(**{**vars(PUBLISHED.recipe), **fields}))


def test_a_published_run_keeps_its_id() -> None:
    assert "a5cb6b87fb697db9875b78c4ba110d6a" == PUBLISHED.id


def test_a_run_without_the_new_field_of_a_later_version_keeps_its_id() -> None:
    assert PUBLISHED.id == later().id


def test_a_run_with_the_new_field_has_another_id() -> None:
    assert 3 == len({PUBLISHED.id, later(batch_size=200).id, later(batch_size=100).id})


@pytest.mark.parametrize(
    "changed",
    [
        {"steps": 6001},
        {"learning_rate": 1e-3},
        {"weight_decay": 0.5},
        {"decay_on": "matrices"},
        {"warmup_steps": 0},
        {"initial_scale": 2.0},
        {"precision": "float64"},
        {"norm": "initial"},
        {"batch_size": 200},
        {"evaluate_every": 100},
    ],
    ids=str,
)
def test_every_field_of_the_recipe_is_part_of_the_id(changed: dict[str, object]) -> None:
    """Also where a field has its default, which is part of the id of every published run."""
    assert PUBLISHED.id != replace(PUBLISHED, recipe=replace(PUBLISHED.recipe, **changed)).id
