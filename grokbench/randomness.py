"""Random numbers that depend on a seed and a purpose, and on nothing else.

One run has the same split, labels and initial weights whatever runs stand beside it, on
whatever device, because each purpose draws from a CPU generator of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Streams:
    """The random streams of one seed: `streams("split")`, `streams("labels")`, …"""

    seed: int

    def key(self, purpose: str) -> int:
        """A 63-bit number that is this seed's and this purpose's own."""
        digest = hashlib.sha256(f"grokbench:{self.seed}:{purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def __call__(self, purpose: str) -> torch.Generator:
        """A fresh CPU generator, always in the same state for the same seed and purpose."""
        return torch.Generator().manual_seed(self.key(purpose))
