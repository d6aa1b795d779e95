"""The tables of docs/sequential.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from studies.calibration.runner import Rate
from studies.documents import Marks, row, table
from studies.sequential.decisions import WORLDS
from studies.sequential.errors import AT_THE_BOUNDS, NOTHING_IS_THERE
from studies.sequential.exact import EXACT
from studies.sequential.plans import (
    FIXED,
    NOT_REPRODUCED,
    PEEKING,
    PLANS,
    REPRODUCED,
    SEQUENTIAL,
    Decision,
)
from studies.sequential.runner import Outcome
from studies.sequential.world import World

MARKS = Marks("<!-- sequential suites -->", "<!-- the end of sequential suites -->")

SUITES = (EXACT, AT_THE_BOUNDS, NOTHING_IS_THERE)

FEWEST = 20
"""Suites of a kind of which fewer were simulated are not in the tables: a rate would say nothing."""

FEWEST_WORLDS = 5
"""Worlds with a single claim of which fewer were simulated are not in the tables either."""

Found = Mapping[str, Sequence[Outcome]]
"""A world's key → the outcomes of its simulations."""


@dataclass(frozen=True)
class Mistake:
    """Which decisions of a suite are wrong."""

    words: str
    outcomes: frozenset[str]

    def made(self, decisions: Iterable[Decision]) -> bool:
        return any(one.outcome in self.outcomes for one in decisions)


FALSE_ARE_REPRODUCED = Mistake("reproduced", frozenset({REPRODUCED}))
TRUE_ARE_NOT = Mistake("not reproduced", frozenset({NOT_REPRODUCED}))
ANY = Mistake("any decision", frozenset({REPRODUCED, NOT_REPRODUCED}))

MISTAKES: Mapping[str, tuple[Mistake, ...]] = {
    EXACT.key: (FALSE_ARE_REPRODUCED, TRUE_ARE_NOT),
    AT_THE_BOUNDS.key: (FALSE_ARE_REPRODUCED, TRUE_ARE_NOT),
    NOTHING_IS_THERE.key: (FALSE_ARE_REPRODUCED,),
}


def tables(found: Found, before: str = "") -> str:
    """The errors of whole suites, and the cost of deciding single claims.

    Args:
        found: what was simulated.
        before: older tables. The rows of kinds of suites that were not simulated are taken over from them,
            because 2000 suites take long.
    """
    parts = [
        errors(found, before.splitlines()),
        mistakes_of_claims(found, before.splitlines()),
        decided(found, before.splitlines()),
        costs(found, before.splitlines()),
    ]
    return "\n\n".join(part for part in parts if part)


def errors(found: Found, older: Sequence[str] = ()) -> str:
    """Suites with at least one wrong decision."""
    rows: list[list[str]] = []
    for world in SUITES:
        outcomes = found.get(world.key, ())
        for mistake in MISTAKES[world.key]:
            if len(outcomes) < FEWEST:
                same = [line for line in older if line.startswith(row(world.words, mistake.words))]
                rows.extend(
                    line.removeprefix("| ").removesuffix(" |").split(" | ") for line in same
                )
                continue
            cells = [
                rate([mistake.made(one[plan.name].values()) for one in outcomes])
                for plan in (SEQUENTIAL, PEEKING)
            ]
            rows.append([world.words, mistake.words, f"{len(outcomes)}", *cells])
    header = ["simulated suites", "wrong is", "suites", "sequential", "the same looks, undeclared"]
    return table([*header[:3], *(f"{one}, %" for one in header[3:])], rows)


def mistakes_of_claims(found: Found, older: Sequence[str] = ()) -> str:
    """For each claim of the suite at the bounds, how often it is decided at all, in each direction."""
    header = ["claim whose effect lies at the bound", "rule", "reproduced, %", "not reproduced, %"]
    outcomes = found.get(AT_THE_BOUNDS.key, ())
    if len(outcomes) < FEWEST:
        same = _table_of(row(*header), older)
        return table(header, same) if same else ""
    rows = []
    for name, stated in AT_THE_BOUNDS.claims.items():
        ways = [
            rate([one[SEQUENTIAL.name][name].outcome == letter for one in outcomes])
            for letter in (REPRODUCED, NOT_REPRODUCED)
        ]
        rows.append([f"`{name}`", f"{stated.rule}", *ways])
    return table(header, rows)


def decided(found: Found, older: Sequence[str] = ()) -> str:
    """How often a true claim is called reproduced, and how often wrongly not reproduced."""

    def cell(_: World, decisions: Sequence[Decision]) -> str:
        right = rate([one.outcome == REPRODUCED for one in decisions])
        wrong = sum(one.outcome == NOT_REPRODUCED for one in decisions)
        return right + (f"; wrong {wrong}" if wrong else "")

    def all_rows(cells: Sequence[str]) -> str:
        return f"{np.mean([float(one.partition(' ')[0]) for one in cells]):.0f}"

    return _by_plan("reproduced, %", found, cell, all_rows, older)


def costs(found: Found, older: Sequence[str] = ()) -> str:
    """Seeds, and CPU time of training, until a claim is decided or all seeds are spent."""

    def seeds_of(decisions: Sequence[Decision]) -> float:
        return float(np.mean([one.seeds for one in decisions]))

    def seconds_of(world: World, decisions: Sequence[Decision]) -> float:
        (claim,) = world.claims
        return seeds_of(decisions) * world.seconds_for_a_seed(claim)

    def cell(world: World, decisions: Sequence[Decision]) -> str:
        return f"{seeds_of(decisions):.1f} ({in_words(seconds_of(world, decisions))})"

    def all_rows(cells: Sequence[str]) -> str:
        seeds = np.mean([float(one.partition(" ")[0]) for one in cells])
        times = [in_seconds(one.partition("(")[2].rstrip(")")) for one in cells]
        return f"{seeds:.1f} ({in_words(float(np.mean(times)))})"

    return _by_plan("seeds (CPU time)", found, cell, all_rows, older)


def _by_plan(
    title: str,
    found: Found,
    cell: Callable[[World, Sequence[Decision]], str],
    all_rows: Callable[[Sequence[str]], str],
    older: Sequence[str],
) -> str:
    """A row for each world that was simulated often enough, and one for the mean of all rows.

    The rows of other worlds are taken over from the older table of this title.
    """
    plans = (SEQUENTIAL, *FIXED)
    header = [title, "simulated", "rule", "worlds", "sequential"]
    header += [PLANS[plan.name].words for plan in FIXED]
    before = _table_of(row(*header), older)
    rows = []
    for world in WORLDS:
        ((name, stated),) = world.claims.items()
        labels = [label(world), world.words, f"{stated.rule}"]
        outcomes = found.get(world.key, ())
        if len(outcomes) >= FEWEST_WORLDS:
            made = [[one[plan.name][name] for one in outcomes] for plan in plans]
            rows.append([*labels, f"{len(outcomes)}", *(cell(world, one) for one in made)])
        else:
            rows += [cells for cells in before if cells[: len(labels)] == labels]
    if rows:
        columns = zip(*(cells[-len(plans) :] for cells in rows), strict=True)
        rows.append(["mean of the rows", "", "", "", *map(all_rows, columns)])
    return table(header, rows)


def _table_of(header: str, lines: Sequence[str]) -> list[list[str]]:
    """The cells of the rows under a header."""
    if header not in lines:
        return []
    following = takewhile(bool, lines[lines.index(header) + 2 :])
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in following]


def label(world: World) -> str:
    """`double_descent`, places."""
    ((_, stated),) = world.claims.items()
    options = [
        f"`{name}`" if name == "places" else f"`{name} = {str(value).lower()}`"
        for name, value in stated.options.items()
        if name in ("places", "width", "best_of_seeds", "effect", "by_size")
    ]
    kinds = [value for name, value in stated.options.items() if name == "dynamics"]
    return ", ".join([f"`{stated.detector}`", *kinds, *options])


def rate(happened: Sequence[bool]) -> str:
    """In per cent, with the 95 % interval of Clopper and Pearson."""
    return str(Rate(sum(happened), len(happened)))


def in_words(seconds: float) -> str:
    for limit, unit in ((120.0, "s"), (7200.0, "min"), (np.inf, "h")):
        if seconds < limit:
            return f"{seconds / {'s': 1, 'min': 60, 'h': 3600}[unit]:.3g} {unit}"
    raise AssertionError


def in_seconds(words: str) -> float:
    """The inverse of `in_words`, but for rounding."""
    number, unit = words.split()
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]
