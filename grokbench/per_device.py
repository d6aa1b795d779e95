"""Sizes that depend on the type of the device."""

from __future__ import annotations

from typing import TypeVar

Size = TypeVar("Size")


class PerDevice(dict[str, Size]):
    """A size for each type of device: `PerDevice(cpu=…, cuda=…)`, looked up by `device.type`.

    Any other type has the size of `cuda`. No size was ever measured on another accelerator, and an
    accelerator is more like a GPU than like a CPU: the time goes into starting kernels when the
    work is cut into small pieces. A size that is too large for its memory is noticed and mended (a
    cohort that runs out of memory is halved); a size that is too small would be slow without a
    word.
    """

    def __missing__(self, device_type: str) -> Size:
        return self["cuda"]
