"""The rates of the machine, and the least that one step of one-layer training needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.timing import seconds

BLOCK = {"cpu": 1024, "cuda": 3000}
"""Examples in one matrix product: on a CPU about as many as fit into its cache, on a GPU all."""

SQUARE = {"cpu": 1024, "cuda": 8192}
"""Rows of a square product that is large enough to reach the machine's best rate."""

COPIED = {"cpu": 2**26, "cuda": 2**30}
"""Bytes copied to measure the memory's rate: more than any cache holds."""


@dataclass(frozen=True)
class Floor:
    """The least that one step of one run needs: floating-point operations and bytes.

    The operations are the multiplications and additions of the exact factored form. For each example:
    6·9·d² (the attention's output and a feed-forward network four times as wide) and 6·P·d (the
    unembedding). For each step: 6·(2·rows + 1)·d² (keys and values of all 2P + 1 rows of the table of
    tokens, and one query) and 6·rows·d (their scores). A third of that is the forward pass. Matrix
    products that only add or spread values are an implementation's own and do not count.
    """

    operations: int
    fused_bytes: int
    """Every matrix product reads and writes its operands once, and all else is fused into it."""
    on_chip_bytes: int
    """Parameters, optimizer state and examples are moved once, and all else stays on the chip."""

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
    """What one turn measured."""

    products: dict[str, float]
    """Operations a second of float32 matrix products: for each shape of training, and a large square."""
    own_shapes: float
    """Operations a second of all shapes of training together."""
    memory: float
    """Bytes a second."""

    @property
    def best(self) -> float:
        return max(self.products.values())


def measure_rates(
    size: int, runs: int, modulus: int, device: str, milliseconds: int = 20
) -> Callable[[int], Rates]:
    """A player that measures matrix products: a large square, and the shapes of training at `size`."""
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

    def play(steps: int) -> Rates:  # noqa: ARG001 (a turn lasts `milliseconds` for each product)
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
    """[runs, m, k] @ [runs, k, n], into memory that is already allocated."""
    left, right = torch.randn(runs, m, k, device=device), torch.randn(runs, k, n, device=device)
    out = torch.empty(runs, m, n, device=device)
    return lambda: torch.bmm(left, right, out=out)


def repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()
