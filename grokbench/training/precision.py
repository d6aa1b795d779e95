"""The arithmetic that a recipe names: what is stored, and how matrix products are computed.

`float32` and `float64` are IEEE arithmetic on every device, whatever the process has set. `tf32`
and `bfloat16` are faster and coarser: the factors of a product have 10 and 7 explicit bits of
mantissa (float32 has 23). In both, parameters, moments and losses are float32. They are options
with a name of their own, because coarser products may change whether a model groks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

STORED = {
    "float32": torch.float32,
    "float64": torch.float64,
    "tf32": torch.float32,
    "bfloat16": torch.float32,
}
TF32_SINCE = (8, 0)
"""The first compute capability with TF32 units: Ampere."""


def storage(precision: str) -> torch.dtype:
    """The type of parameters, gradients, moments and losses."""
    return STORED[precision]


def refuses(precision: str, device: str | torch.device) -> str | None:
    """Why products on `device` cannot be computed as `precision` says; None when they can."""
    device = torch.device(device)
    if precision == "tf32" and not has_tf32(device):
        return (
            f"{device} has no TF32 units; write precision = 'float32', or train on an NVIDIA GPU "
            "of Ampere or later"
        )
    if precision == "bfloat16" and not has_bfloat16(device):
        return f"{device} computes no products in bfloat16; write precision = 'float32'"
    if precision == "float64" and device.type == "mps":
        return "mps has no float64; write precision = 'float32', or train on cpu"
    return None


def has_tf32(device: torch.device) -> bool:
    if device.type != "cuda" or torch.version.cuda is None:
        return False
    return bool(torch.cuda.get_device_capability(device) >= TF32_SINCE)


def has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.amp.is_autocast_available(device.type)


@contextmanager
def arithmetic(precision: str, device: str | torch.device) -> Iterator[None]:
    """Within the block, products on `device` are computed as `precision` says.

    Entering takes tens of microseconds. The training loop therefore enters `float32_products` once
    and `factors` at each step.
    """
    with (
        float32_products(precision),
        factors(precision, device),
    ):
        yield


def factors(precision: str, device: str | torch.device) -> torch.autocast:
    """Within the block, factors of products are rounded to bfloat16, if that is the precision."""
    return torch.autocast(
        torch.device(device).type,
        torch.bfloat16,
        enabled=precision == "bfloat16",
        cache_enabled=False,  # parameters change between steps
    )


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """Within the block, every library multiplies float32 as `precision` says; afterwards as before.

    Torch keeps a setting for each library and an older setting for all, and raises an error where
    they contradict each other. So both are set.
    """
    switches, how = libraries(), "tf32" if precision == "tf32" else "ieee"
    found = [library.fp32_precision for library in switches]
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:  # the settings contradict: the user has set one library alone
        older = "highest"
    try:
        torch.set_float32_matmul_precision("high" if how == "tf32" else "highest")
        for library in switches:
            library.fp32_precision = how
        yield
    finally:
        torch.set_float32_matmul_precision(older)
        for library, before in zip(switches, found, strict=True):
            library.fp32_precision = before


def libraries() -> tuple[Any, ...]:
    """Torch's switches for products, convolutions and recurrences."""
    backends: Any = torch.backends
    cudnn, mkldnn = backends.cudnn, backends.mkldnn
    return backends.cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn
