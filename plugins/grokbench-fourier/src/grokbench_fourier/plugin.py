"""The hooks: grokbench calls these functions, and they register classes."""

from collections.abc import Callable

from grokbench import Detector, Measure, hookimpl

from grokbench_fourier.key_frequencies import KeyFrequencies
from grokbench_fourier.measure import Fourier


@hookimpl
def register_measures(register: Callable[[type[Measure]], None]) -> None:
    register(Fourier)


@hookimpl
def register_detectors(register: Callable[[type[Detector]], None]) -> None:
    register(KeyFrequencies)
