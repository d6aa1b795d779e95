"""A recipe's precision holds whatever the process has set."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from grokbench.record import ModelSize
from grokbench.training.precision import arithmetic, libraries, refuses, storage
from tests.training.small_runs import ADDITION
from tests.training.stacks import gradient, own_program, small_stack, views

DEEP = ModelSize(16, layers=2)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = [library.fp32_precision for library in libraries()]
    yield
    torch.set_float32_matmul_precision("highest")
    for library, value in zip(libraries(), before, strict=True):
        library.fp32_precision = value


def set_one_library_alone() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"


USERS: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "one library alone": set_one_library_alone,
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    ("precision", "how"),
    [("float32", "ieee"), ("float64", "ieee"), ("bfloat16", "ieee"), ("tf32", "tf32")],
)
def test_products_are_what_the_recipe_says_and_afterwards_what_the_user_said(
    user: str, precision: str, how: str
) -> None:
    USERS[user]()
    before = [library.fp32_precision for library in libraries()]
    with arithmetic(precision, "cpu"):
        assert {how} == {library.fp32_precision for library in libraries()}
        assert (precision == "bfloat16") == torch.is_autocast_enabled("cpu")
    assert before == [library.fp32_precision for library in libraries()]
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("user", USERS)
def test_float32_gives_the_same_bits_whatever_the_user_set(user: str) -> None:
    stack = small_stack(ADDITION, "dense", DEEP, (50, 33))
    with arithmetic("float32", "cpu"):
        expected = gradient(stack, own_program(stack))
    USERS[user]()
    with torch.autocast("cpu", torch.bfloat16), arithmetic("float32", "cpu"):
        assert torch.equal(expected, gradient(stack, own_program(stack)))


@pytest.mark.parametrize("normed", [False, True])
def test_bfloat16_products_give_float32_gradients_near_those_of_float32(normed: bool) -> None:
    stack = small_stack(ADDITION, "dense", DEEP, (50, 33), layer_norm=normed)
    program = own_program(stack)
    assert program.autocasts
    expected = gradient(stack, program)
    with arithmetic("bfloat16", "cpu"):
        found, outputs = gradient(stack, program), program.outputs(views(stack))
    assert torch.float32 == outputs.dtype == found.dtype
    assert found.isfinite().all()
    difference = (found - expected).norm(dim=1) / expected.norm(dim=1)
    assert (difference > 1e-4).all()
    assert (difference < 1e-1).all()


def test_parameters_are_stored_in_float32_unless_all_is_float64() -> None:
    stored = {name: storage(name) for name in ("float32", "tf32", "bfloat16")}
    assert {torch.float32} == set(stored.values())
    assert torch.float64 == storage("float64")


def test_a_device_without_tf32_refuses_it_and_says_what_to_write() -> None:
    assert refuses("tf32", "cpu") == (
        "cpu has no TF32 units; write precision = 'float32', or train on an NVIDIA GPU of Ampere "
        "or later"
    )
    assert "write precision = 'float32'" in (refuses("float64", "mps") or "")
    for precision in ("float32", "float64", "bfloat16"):
        assert refuses(precision, "cpu") is None
