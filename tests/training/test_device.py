"""A failed GPU is distinguished from a failed run."""

from __future__ import annotations

import pytest
import torch

from grokbench.errors import DeviceError
from grokbench.training.device import check_still_there


def failing(error: Exception):
    def ones(*arguments, **options):
        raise error

    return ones


def test_a_gpu_that_does_nothing_more_is_an_error_that_says_how_to_go_on(monkeypatch):
    error = torch.AcceleratorError(
        "CUDA error: an illegal memory access was encountered\nSee there"
    )
    monkeypatch.setattr(torch, "ones", failing(error))
    with pytest.raises(DeviceError, match="illegal memory access was encountered; what was stored"):
        check_still_there(torch.device("cuda"))


def test_one_that_is_full_still_computes(monkeypatch):
    monkeypatch.setattr(torch, "ones", failing(torch.OutOfMemoryError("CUDA out of memory")))
    check_still_there(torch.device("cuda"))


def test_a_cpu_is_always_there(monkeypatch):
    monkeypatch.setattr(torch, "ones", failing(RuntimeError("nobody asks")))
    check_still_there(torch.device("cpu"))
