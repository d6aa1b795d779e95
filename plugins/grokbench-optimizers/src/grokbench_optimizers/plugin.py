"""The hook: grokbench calls this function, and it registers classes."""

from collections.abc import Callable

from grokbench import Optimizer, hookimpl

from grokbench_optimizers.lion import Lion
from grokbench_optimizers.muon import Muon


@hookimpl
def register_optimizers(register: Callable[[type[Optimizer]], None]) -> None:
    register(Muon)
    register(Lion)
