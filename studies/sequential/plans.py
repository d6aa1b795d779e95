"""Plans: how many seeds are trained, and when the claims are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import xarray as xr

from grokbench.claims import Verdict, score
from grokbench.phenomena.base import Detector
from grokbench.suite.model import Sequential, Suite

LOOKS = (5, 8, 12, 18, 27, 40)
"""The numbers of seeds at which a sequential suite is judged."""

MOST = LOOKS[-1]

REPRODUCED, NOT_REPRODUCED, OPEN = "r", "n", "o"


@dataclass(frozen=True)
class Decision:
    """What became of one claim."""

    outcome: str
    """`REPRODUCED`, `NOT_REPRODUCED` or `OPEN`."""
    seeds: int
    """How many seeds were trained for the claim."""

    @property
    def decided(self) -> bool:
        return self.outcome != OPEN


@dataclass(frozen=True)
class Plan:
    """How a suite is judged."""

    name: str
    words: str

    def decide(
        self, suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
    ) -> dict[str, Decision]:
        """Claim → its decision; claims without results are left out.

        Args:
            suite: whose experiments have the seeds 0 to `MOST` - 1.
            tree: the results, all runs done.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class InLooks(Plan):
    """A sequential suite: decided claims stop, and each look may err with its share only."""

    name: str = "sequential"
    words: str = f"sequential, looks at {', '.join(map(str, LOOKS))}"

    def decide(
        self, suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
    ) -> dict[str, Decision]:
        planned = replace(suite, sequential=Sequential(LOOKS, first_seed=0, spending="equal"))
        return {
            verdict.claim.name: Decision(_letter(verdict), verdict.looks[-1].seeds)
            for verdict in score(planned, tree, detectors)
            if verdict.looks
        }


@dataclass(frozen=True)
class Fixed(Plan):
    """A suite whose seeds are all trained before it is judged, once."""

    seeds: int = MOST

    def decide(
        self, suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
    ) -> dict[str, Decision]:
        verdicts = score(suite, first(tree, self.seeds), detectors)
        return {
            verdict.claim.name: Decision(_letter(verdict), self.seeds)
            for verdict in verdicts
            if trained(verdict, tree)
        }


@dataclass(frozen=True)
class Peeking(Plan):
    """Judged at the same looks as if each were the only one; the first decision counts."""

    name: str = "peeking"
    words: str = "the same looks, undeclared"

    def decide(
        self, suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
    ) -> dict[str, Decision]:
        found: dict[str, Decision] = {}
        for seeds in LOOKS:
            for verdict in score(suite, first(tree, seeds), detectors):
                name = verdict.claim.name
                if trained(verdict, tree) and (name not in found or not found[name].decided):
                    found[name] = Decision(_letter(verdict), seeds)
            if all(decision.decided for decision in found.values()):
                break
        return found


SEQUENTIAL = InLooks()
PEEKING = Peeking()
FIXED = tuple(Fixed(f"fixed {seeds}", f"{seeds} seeds", seeds) for seeds in (5, 11, 40))
PLANS = {plan.name: plan for plan in (SEQUENTIAL, PEEKING, *FIXED)}


def first(tree: xr.DataTree, seeds: int) -> xr.DataTree:
    """The results of the first seeds."""
    cut = {name: node.to_dataset().isel(seed=slice(seeds)) for name, node in tree.children.items()}
    return xr.DataTree.from_dict({"/": tree.to_dataset(), **cut})


def trained(verdict: Verdict, tree: xr.DataTree) -> bool:
    """Whether all experiments of a claim have results."""
    return all(name in tree.children for name in verdict.claim.experiments.values())


def _letter(verdict: Verdict) -> str:
    if not verdict.outcome.decided:
        return OPEN
    return REPRODUCED if verdict.outcome.value == "reproduced" else NOT_REPRODUCED
