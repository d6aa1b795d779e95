"""What the machine can do, and what one-layer training asks of it at least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.setting import seconds

BLOCK = {"cpu": 1024, "cuda": 3000}
"""Examples in one product: about what stays in a CPU's cache; all of them on a GPU."""

SQUARE = {"cpu": 1024, "cuda": 8192}
"""Rows of a matrix product that is large enough for the machine's best rate."""

COPIED = {"cpu": 2**26, "cuda": 2**30}
"""Bytes copied to measure the memory: more than any cache holds."""


@dataclass(frozen=True)
class Floor:
    """The least that one step of one run takes: floating-point operations and bytes.

    The operations are those of the exact factored form, a multiplication and an addition each: per
    example 6·9·d² (the attention's output and a network four times as wide) and 6·P·d (the
    unembedding); per step 6·(2·rows + 1)·d² (keys and values of all 2P + 1 rows of the table, and
    the one query) and 6·rows·d (their scores). Forward is a third of it. Products of an
    implementation that do no more than add or spread do not count.

    `fused` bytes: every matrix product reads and writes its operands once and all else is fused
    into them; `on_chip`: parameters, optimizer state and examples pass once, all else stays inside.
    """

    operations: int
    fused_bytes: int
    on_chip_bytes: int

    @classmethod
    def of(cls, size: int, parameters: int, data_size: int, modulus: int) -> Floor:
        rows = 2 * modulus + 1
        per_example = 54 * size**2 + 6 * modulus * size
        per_step = 6 * (2 * rows + 1) * size**2 + 6 * rows * size
        return cls(
            data_size * per_example + per_step,
            data_size * (204 * size + 24 * modulus) + 32 * parameters,
            28 * parameters + 6 * data_size,
        )


@dataclass(frozen=True)
class Rates:
    """One turn's measurement: operations a second of float32 products, and bytes a second.

    `products` has a rate for each kind of product that training makes, and for a large square one.
    """

    products: dict[str, float]
    own_shapes: float
    """All the products of training's shapes together."""
    memory: float

    @property
    def best(self) -> float:
        return max(self.products.values())


def measure_rates(
    size: int, runs: int, modulus: int, device: str, milliseconds: int = 20
) -> Callable[[int], Rates]:
    """Products of a large square, and in batches of the shapes that occur at hidden size `size`."""
    rows = BLOCK[device]
    side = SQUARE[device]
    shapes: dict[str, tuple[int, int, int, int]] = {
        "square": (1, side, side, side),
        "expand": (runs, rows, size, 4 * size),
        "contract": (runs, rows, 4 * size, size),
        "unembed": (runs, rows, size, modulus),
        "gradient of expand": (runs, 4 * size, rows, size),
        "gradient of unembed": (runs, modulus, rows, size),
    }
    products = {name: product(*shape, device) for name, shape in shapes.items()}
    operations = {name: 2 * runs * m * k * n for name, (runs, m, k, n) in shapes.items()}
    source = torch.zeros(COPIED[device] // 4, device=device)
    target = torch.empty_like(source)
    times = {
        name: max(1, round(milliseconds / 1e3 / min(seconds(work, device) for _ in range(3))))
        for name, work in products.items()
    }

    def play(steps: int) -> Rates:  # noqa: ARG001 (its turns last as long as they must)
        took = {
            name: seconds(lambda: repeat(products[name], times[name]), device) / times[name]  # noqa: B023 (called here)
            for name in products
        }
        own = [name for name in products if name != "square"]
        return Rates(
            {name: operations[name] / took[name] for name in products},
            sum(operations[name] for name in own) / sum(took[name] for name in own),
            2 * COPIED[device] / seconds(lambda: target.copy_(source), device),
        )

    return play


def product(runs: int, m: int, k: int, n: int, device: str) -> Callable[[], object]:
    """[runs, m, k] @ [runs, k, n], into memory that is there."""
    left, right = torch.randn(runs, m, k, device=device), torch.randn(runs, k, n, device=device)
    out = torch.empty(runs, m, n, device=device)
    return lambda: torch.bmm(left, right, out=out)


def repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()
