"""The hook: grokbench calls this function, and it registers a class."""

from collections.abc import Callable

from grokbench import Task, hookimpl

from grokbench_permutations.composition import PermutationComposition


@hookimpl
def register_tasks(register: Callable[[type[Task]], None]) -> None:
    register(PermutationComposition)
