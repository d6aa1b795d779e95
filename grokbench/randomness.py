"""Random numbers that depend on a seed and a purpose, and on nothing else.

Each purpose draws from a CPU generator of its own. So a run has the same split, labels and initial
weights on every device, and whichever runs are stacked with it.
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
        """A 63-bit number for this seed and purpose."""
        # A hash, so that neighbouring seeds have unrelated streams; 63 bits, because torch takes
        # seeds as signed 64-bit integers.
        digest = hashlib.sha256(f"grokbench:{self.seed}:{purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def __call__(self, purpose: str) -> torch.Generator:
        """A fresh CPU generator, always in the same state for the same seed and purpose."""
        return torch.Generator().manual_seed(self.key(purpose))
