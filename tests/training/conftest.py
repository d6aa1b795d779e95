"""One thread: several threads make small matrix products slower."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
