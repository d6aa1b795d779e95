"""Sizes that depend on the type of the device."""

from __future__ import annotations

import pytest

from grokbench.architectures import factored, prefix
from grokbench.per_device import PerDevice
from grokbench.plan import COHORT_BYTES, LARGEST_COHORT, STACKED_WORK
from grokbench.training.compiling import COMPILED_WORK

TABLES = {
    "blocks of the factored form": factored.BLOCK_BYTES,
    "blocks of the prefix form": prefix.BLOCK_BYTES,
    "work of a cohort": STACKED_WORK,
    "runs of a cohort": LARGEST_COHORT,
    "memory of a cohort": COHORT_BYTES,
    "work that pays to compile": COMPILED_WORK,
}


def test_a_cpu_and_a_gpu_have_sizes_of_their_own() -> None:
    sizes = PerDevice(cpu=1, cuda=2)
    assert (1, 2) == (sizes["cpu"], sizes["cuda"])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("device_type", ["xpu", "mps", "hpu"])
def test_any_other_accelerator_has_the_sizes_of_a_gpu(table: str, device_type: str) -> None:
    sizes = TABLES[table]
    assert sizes["cuda"] == sizes[device_type] > sizes["cpu"]
