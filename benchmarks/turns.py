"""Players that take turns, each in a process of its own.

A machine's speed drifts. Ratios are therefore taken between the turns of one round.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

Play = Callable[[int], T]
"""Plays one turn of the given number of steps, and returns what was measured."""


def take_turns(
    players: Mapping[str, Callable[[], Play[T]]], rounds: int, steps: int
) -> dict[str, list[T]]:
    """What each player measured, round by round.

    Args:
        players: name → a function that makes the player ready. It runs in the player's own process, so it
            must be picklable.
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
