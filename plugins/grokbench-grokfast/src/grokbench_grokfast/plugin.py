"""The hooks: grokbench calls these functions, and they register classes."""

from collections.abc import Callable

from grokbench import Detector, Optimizer, hookimpl

from grokbench_grokfast.optimizer import Grokfast
from grokbench_grokfast.speedup import GrokkingSpeedup


@hookimpl
def register_optimizers(register: Callable[[type[Optimizer]], None]) -> None:
    register(Grokfast)


@hookimpl
def register_detectors(register: Callable[[type[Detector]], None]) -> None:
    register(GrokkingSpeedup)
