"""Random numbers that a plugin's modules draw: from torch, as the run's own, and from nowhere else."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from grokbench.errors import PluginError

LENDING = threading.RLock()
"""Held while torch's global generators are lent: cohorts may train in threads."""


@contextmanager
def torchs_generators(device: torch.device, borrower: str) -> Iterator[None]:
    """Lend torch's global generators; afterwards they are as before.

    Raises:
        PluginError: the borrower drew from numpy's or Python's, of which no run has one of its own.
    """
    with LENDING:
        before = other_generators()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
        for name, state in other_generators().items():
            if state != before[name]:
                raise PluginError(
                    f"{borrower} draws from {name}'s global random generator, and the run could "
                    "not be repeated; draw with torch (torch.rand, nn.init, nn.Dropout)"
                )


def begin_at(state: Tensor, device: torch.device) -> None:
    """Put the generators that were lent into a state of the CPU's, and one that follows from it."""
    torch.set_rng_state(state)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(int(torch.randint(2**62, ())))


def other_generators() -> dict[str, object]:
    """Where the global generators stand that are not torch's."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002 (it is looked at, not drawn from)
    numpy = (legacy["state"]["key"].tobytes(), legacy["state"]["pos"])
    return {"numpy": numpy, "Python": random.getstate()}
