"""Simulates, judges, and keeps what came out, so that the study continues where it was stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import xarray as xr

from grokbench.claims import asking, judging
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import Plugins
from studies.sequential.exact import MeanAccuracy
from studies.sequential.plans import Decision
from studies.sequential.world import World

Outcome = dict[str, dict[str, Decision]]
"""Plan → claim → its decision, in one simulation."""


@dataclass(frozen=True)
class Outcomes:
    """What came out of a world's simulations, by their numbers; kept in one file, a line for each."""

    world: World
    folder: Path

    @property
    def file(self) -> Path:
        """Its name changes with the world, so that no other world's outcomes are taken for this one's."""
        return self.folder / f"{self.world.key}-{self.world.digest}.jsonl"

    def read(self) -> dict[int, Outcome]:
        if not self.file.exists():
            return {}
        found: dict[int, Outcome] = {}
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                kept = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line that was being written when the study was stopped
            found[kept["number"]] = {
                plan: {claim: Decision(*one) for claim, one in claims.items()}
                for plan, claims in kept["plans"].items()
            }
        return found

    def add(self, number: int, outcome: Outcome) -> None:
        plans = {
            plan: {claim: [one.outcome, one.seeds] for claim, one in claims.items()}
            for plan, claims in outcome.items()
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        torn = self.file.exists() and not self.file.read_bytes().endswith(b"\n")
        with self.file.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps({"number": number, "plans": plans}) + "\n")


def missing(worlds: Sequence[World], folder: Path, simulations: int) -> Iterator[tuple[World, int]]:
    """The simulations that are not in the folder, in an order in which all worlds advance alike."""
    wanted = {world.key: math.ceil(world.share * simulations) for world in worlds}
    known = {world.key: Outcomes(world, folder).read().keys() for world in worlds}
    left = [
        ((number + 1) / wanted[world.key], index, number)
        for index, world in enumerate(worlds)
        for number in range(wanted[world.key])
        if number not in known[world.key]
    ]
    return ((worlds[index], number) for _, index, number in sorted(left))


def simulated(
    work: Iterator[tuple[World, int]], folder: Path, jobs: int
) -> Iterator[tuple[World, int]]:
    """Make these simulations, keep each outcome, and say which are done."""
    if jobs == 1:
        for world, number in work:
            Outcomes(world, folder).add(number, outcome_of(world, number))
            yield world, number
        return
    with ProcessPoolExecutor(jobs) as pool:
        # A few at a time, so that an interrupted study does not wait for all of them.
        while batch := list(islice(work, 8 * jobs)):
            outcomes = pool.map(outcome_of, *zip(*batch, strict=True))
            for (world, number), outcome in zip(batch, outcomes, strict=True):
                Outcomes(world, folder).add(number, outcome)
                yield world, number


def outcome_of(world: World, number: int) -> Outcome:
    with unguarded():
        return world.decisions(number, remembering(known_detectors()))


@contextmanager
def unguarded() -> Iterator[None]:
    """Within, detectors are called without guard, and look at the simulated data themselves.

    grokbench gives each detector a copy of the data, and puts the state of the process back after each call.
    Both take a quarter of the time of a simulation, and neither changes an outcome here: the detectors of
    the study belong to grokbench, and change nothing.
    """
    with (
        patch.object(asking, "guard", lambda *_: nullcontext()),
        patch.object(judging, "guard", lambda *_: nullcontext()),
        patch.object(judging, "copied", dict),
    ):
        yield


@cache
def known_detectors() -> Mapping[str, type[Detector]]:
    return {**Plugins.load().detectors, MeanAccuracy.name: MeanAccuracy}


def remembering(detectors: Mapping[str, type[Detector]]) -> dict[str, type[Detector]]:
    """The same detectors, which compute each finding once: several plans ask for the same ones."""
    found: dict[Any, Finding | Exception] = {}
    return {name: _remembering(kind, found) for name, kind in detectors.items()}


def _remembering(kind: type[Detector], found: dict[Any, Finding | Exception]) -> type[Detector]:
    def find(self: Detector, data: Mapping[str, xr.Dataset]) -> Finding:
        read = ("train_accuracy", "mirror_free_accuracy", "parameter_norm")
        looked_at = hash(
            tuple(
                (role, one[name].to_numpy().tobytes())
                for role, one in data.items()
                for name in read
            )
        )
        key = (kind.name, repr(self.options), self.confidence, looked_at)
        if key not in found:
            try:
                found[key] = kind.find(self, data)
            except Exception as error:  # noqa: BLE001 - raised again below, and whenever it is asked for
                found[key] = error
        known = found[key]
        if isinstance(known, Exception):
            raise known
        return known

    return type(f"Remembering{kind.__name__}", (kind,), {"find": find})
