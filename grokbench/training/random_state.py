"""Random numbers of plugins: drawn from torch's generators in a state of the run's own.

Modules, `build` and measures draw from torch's global generators, as ordinary PyTorch code does.
The trainer seeds these generators for the run and restores them afterwards. Numpy's and Python's
global generators are not seeded, and a plugin that draws from them is refused.
"""

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
"""Held while a plugin uses torch's global generators: cohorts may train in threads."""


@contextmanager
def torchs_generators(device: torch.device, borrower: str) -> Iterator[None]:
    """Within the block, torch's global generators may be used; afterwards they are as before.

    Args:
        borrower: who uses them, for the error message.

    Raises:
        PluginError: the borrower drew from numpy's or Python's global generator.
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
    """Set torch's CPU generator to `state`, and the GPU's to a seed drawn from the CPU's."""
    torch.set_rng_state(state)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(int(torch.randint(2**62, ())))


def other_generators() -> dict[str, object]:
    """The states of numpy's and Python's global generators."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002 (nothing is drawn)
    numpy = (legacy["state"]["key"].tobytes(), legacy["state"]["pos"])
    return {"numpy": numpy, "Python": random.getstate()}
