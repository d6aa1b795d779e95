"""Players in processes of their own that take turns, so that ratios hold when a machine's speed
drifts: they are taken within a round.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

Play = Callable[[int], T]
"""One turn of so many steps, and what was measured."""


def take_turns(
    players: Mapping[str, Callable[[], Play[T]]], rounds: int, steps: int
) -> dict[str, list[T]]:
    """What each player measured, a round each.

    Args:
        players: makes each player ready to play, in its own process (so it must be picklable).
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    results: dict[str, list[T]] = {name: [] for name in players}
    for name, enter in players.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, enter), daemon=True).start()
        theirs.close()
        receive(pipes[name], name)
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(steps)
            results[name].append(receive(pipe, name))
    for pipe in pipes.values():
        pipe.close()
    return results


def receive(pipe: Connection, name: str) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        raise SystemExit(f"{name} ended early; its error stands above") from None


def serve(pipe: Connection, enter: Callable[[], Play[T]]) -> None:
    play = enter()
    pipe.send(None)
    while True:
        try:
            steps = pipe.recv()
        except EOFError:
            return
        pipe.send(play(steps))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median and the range of what the rounds gave."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}–{high:.{digits}f}]"
