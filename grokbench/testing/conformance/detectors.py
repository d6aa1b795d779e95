"""What a detector promises of its findings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from grokbench.claims.selection import seeds_trained
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import describe
from grokbench.record import Status
from grokbench.testing.conformance.checks import Fault, Inapplicable, Specimen, once, promises
from grokbench.testing.conformance.global_state import changed, disturb, kept
from grokbench.testing.conformance.worlds import candidates, oddities
from grokbench.testing.simulator import World, copied, null, shuffled, without_runs

NULL_WORLDS = 50
"""How many worlds without any effect are shown."""

RATE = 0.05
"""How often a detector may find something in them, at the confidence of 0.95 that it states."""

CERTAINTY = 1e-3
"""How probable it may be that a detector that keeps this rate is failed."""

ROUNDING = 1e-6
"""Curves are float32, and sums of them depend on their order."""


def first_seen(specimen: Specimen) -> tuple[World, Finding]:
    """A world that the detector has something to say about, and what.

    Raises:
        NotEnoughDataError: it has something to say about none.
    """
    detector: Detector = specimen.make()
    said = "no world"
    for world in (*specimen.worlds, *candidates(detector.roles)):
        try:
            return world, detector.find(copied(world))
        except NotEnoughDataError as error:
            said = str(error)
    raise NotEnoughDataError(said)


def seen(specimen: Specimen) -> tuple[World, Finding]:
    """The same; where there is none, or no finding, another check says so."""
    with once("finds_something_somewhere"):
        world, finding = first_seen(specimen)
        if not isinstance(finding, Finding):
            raise TypeError("it is not a Finding")
        return world, finding


def numbers(finding: Finding) -> tuple[float, float, float]:
    return float(finding.effect), float(finding.low), float(finding.high)


def alike(first: Finding, second: Finding) -> bool:
    """Equal but for rounding: sums may be taken in another order."""
    return np.allclose(numbers(first), numbers(second), rtol=ROUNDING, atol=ROUNDING)


def shown(finding: Finding) -> str:
    return f"{finding.effect:.6g} [{finding.low:.6g}, {finding.high:.6g}]"


@promises("detector")
def plays_named_roles(specimen: Specimen) -> None:
    """Its roles are different names, by which a claim says what it looks at."""
    roles = specimen.make().roles
    names = isinstance(roles, tuple) and all(isinstance(r, str) and r for r in roles)
    if not names or not roles or len(set(roles)) < len(roles):
        raise Fault(
            f"its roles are {roles!r}",
            "a claim names an experiment for each",
            'write a tuple of different names, ("experiment",) for just one',
        )


@promises("detector")
def finds_something_somewhere(specimen: Specimen) -> str:
    """There is a simulated world that it has something to say about, in full."""
    try:
        _, finding = first_seen(specimen)
    except NotEnoughDataError as error:
        raise Fault(
            f"every world that it is shown is too little for it: {error}",
            "nothing of it can be examined",
            "show it one of its own: checks_for(…, worlds=[{role: dataset}])",
        ) from error
    if not isinstance(finding, Finding):
        raise Fault(
            f"find() gives {type(finding).__name__}",
            "a claim is judged by the interval of a finding",
            "return a grokbench.Finding",
        )
    for name in ("effect", "low", "high"):
        value = getattr(finding, name)
        if not isinstance(value, (int, float)) or math.isnan(value):
            raise Fault(
                f"the finding's {name} is {value!r}",
                "a claim's rule is held against it",
                "write a float, or raise NotEnoughDataError and say what is lacking",
            )
    words = finding.unit and finding.evidence and isinstance(finding.evidence, str)
    if not words or type(finding.seeds) is not int or finding.seeds < 1:
        raise Fault(
            f"its unit is {finding.unit!r}, its evidence {finding.evidence!r}, its seeds "
            f"{finding.seeds!r}",
            "they are what a reader of the verdict has",
            "write words for unit and evidence, and how many seeds the interval rests on",
        )
    return f"{shown(finding)} {finding.unit}"


@promises("detector")
def interval_holds_the_effect(specimen: Specimen) -> None:
    """The effect lies within its interval, in whatever world."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    for one in (world, *(null(world, seed) for seed in range(10))):
        try:
            finding = detector.find(one)
        except NotEnoughDataError:
            continue
        effect, low, high = numbers(finding)
        # Rounding in a mean may leave the ends of an interval of no width just beside it.
        slack = ROUNDING * max(1.0, abs(effect))
        if not low - slack <= effect <= high + slack:
            raise Fault(
                f"the effect is {effect:.6g} and its interval is {low:.6g} to {high:.6g}",
                "a claim could be decided against the very effect",
                "write low ≤ effect ≤ high; look at which end is which",
            )


@promises("detector")
def counts_its_seeds(specimen: Specimen) -> None:
    """The seeds that its interval rests on are no more than there are."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    for one in (world, without_runs(world, first_seed, Status.NOT_RUN)):
        finding = looked(detector, one, "a seed was not run")
        there = seeds_trained(one.values())
        if finding is not None and finding.seeds > there:
            raise Fault(
                f"its finding rests on {finding.seeds} seeds, and there are {there}",
                "a claim's `minimum_seeds` is held against it, and cells of one seed are not "
                "independent",
                "average over all but seeds first, and write how many seeds have a value",
            )


@promises("detector")
def interval_widens_with_confidence(specimen: Specimen) -> str | None:
    """detector.at(confidence) has wider intervals where more confidence is asked for."""
    world, first = seen(specimen)
    detector: Detector = specimen.make()
    found = [detector.at(confidence).find(copied(world)) for confidence in (0.8, 0.95, 0.999)]
    if detector.confidence != specimen.make().confidence or not alike(
        first, detector.find(copied(world))
    ):
        raise Fault(
            "at() changes the detector itself",
            "claims share detectors",
            "return a copy, as Detector.at does",
        )
    for narrow, wide in pairwise(found):
        if wide.low > narrow.low + ROUNDING or wide.high < narrow.high - ROUNDING:
            raise Fault(
                f"at a higher confidence the interval goes from {shown(narrow)} to {shown(wide)}",
                "more confidence asks for more room",
                "take the quantile from self.confidence",
            )
    if alike(found[0], found[-1]):
        if first.low == first.high or math.isinf(first.high - first.low):
            return f"not seen: the interval is {shown(first)}"
        raise Fault(
            f"the interval is {shown(first)} at a confidence of 0.8 and of 0.999",
            "claims that are judged together are judged at a higher confidence than one",
            "take the quantile from self.confidence",
        )
    return None


@promises("detector")
def order_changes_nothing(specimen: Specimen) -> None:
    """Sizes, amounts of data and seeds may stand in any order."""
    world, finding = seen(specimen)
    for seed in range(5):
        again = specimen.make().find(shuffled(world, seed))
        if not alike(finding, again):
            raise Fault(
                f"it finds {shown(finding)}, and {shown(again)} when the same runs stand in "
                "another order",
                "a suite lists sizes and seeds as it likes",
                "sort by the coordinates first: data.sortby(['parameters', 'data_size', 'seed'])",
            )


@promises("detector")
def same_data_same_finding(specimen: Specimen) -> None:
    """It draws nothing from global random generators, and remembers nothing."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    disturb(1)
    first = detector.find(copied(world))
    disturb(2)
    for again in (detector.find(copied(world)), specimen.make().find(copied(world))):
        if numbers(first) != numbers(again) or first.evidence != again.evidence:
            raise Fault(
                f"it finds {shown(first)}, and {shown(again)} when it looks again",
                "verdicts are computed anew whenever they are asked for",
                "draw resamples from numpy.random.default_rng with a fixed seed",
            )


@promises("detector")
def leaves_global_state_alone(specimen: Specimen) -> None:
    """Looking changes no random generator, switch or environment variable."""
    with kept():
        world, _ = seen(specimen)
    disturb(3)
    if touched := changed(lambda: specimen.make().find(copied(world))):
        raise Fault(
            f"looking changes {' and '.join(touched)}",
            "whatever else runs in the process would depend on it",
            "draw from a generator of its own, and set switches within `with`",
        )


@promises("detector")
def leaves_the_data_alone(specimen: Specimen) -> None:
    """The datasets are the same, to the bit, after it has looked."""
    world, _ = seen(specimen)
    own = copied(world)
    specimen.make().find(own)
    for role, data in world.items():
        if set(own) != set(world) or not own[role].identical(data):
            every = {*data.variables, *own[role].variables}
            names = [str(n) for n in every if not same_variable(own[role], data, n)]
            raise Fault(
                f"find() changes {', '.join(names) or 'attributes'} of the dataset {role!r}",
                "other claims look at the same datasets",
                "work on a copy, or with operations that return one",
            )


def same_variable(first: xr.Dataset, second: xr.Dataset, name: Any) -> bool:
    if not (name in first.variables and name in second.variables):
        return False
    return bool(first[name].identical(second[name]))


@promises("detector")
def bears_missing_cells(specimen: Specimen) -> None:
    """Runs that are not done are left out, never read as zero."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    generator = np.random.default_rng(0)
    for status in (Status.NOT_RUN, Status.DIVERGED, Status.FAILED):
        for share in (0.1, 0.5):
            holes = without_runs(
                world,
                partial(at_random, share=share, generator=generator),
                status,
            )
            finding = looked(detector, holes, f"{share:.0%} of the runs are {status.name}")
            if finding is not None and math.isnan(sum(numbers(finding)[:1])):
                raise Fault(
                    f"with {share:.0%} of the runs {status.name} its effect is NaN",
                    "a suite that is not complete has such cells",
                    "leave them out: data.where(data.status == 1)",
                )
    complete = {role: data.isel(seed=slice(1, None)) for role, data in world.items()}
    holes = without_runs(world, first_seed, Status.NOT_RUN)
    expected = looked(detector, complete, "a seed is absent")
    found = looked(detector, holes, "a seed was not run")
    if expected and found and not alike(expected, found):
        raise Fault(
            f"it finds {shown(expected)} without a seed, and {shown(found)} where that seed is "
            "there and was not run",
            "a run that is not there says nothing",
            "leave out cells whose status is not 1, and never fill NaN with zero",
        )


def at_random(cells: xr.DataArray, share: float, generator: np.random.Generator) -> xr.DataArray:
    return cells.copy(data=generator.random(cells.shape) < share)


def first_seed(cells: xr.DataArray) -> xr.DataArray:
    """The cells of the first seed."""
    return (cells["seed"] == cells["seed"][0]).broadcast_like(cells)


def looked(detector: Detector, world: Mapping[str, xr.Dataset], when: str) -> Finding | None:
    """What it finds; None where that is too little.

    Raises:
        Fault: it raises anything but NotEnoughDataError.
    """
    try:
        return detector.find(copied(world))
    except NotEnoughDataError as error:
        if not str(error).strip():
            raise Fault(
                f"where {when} it raises NotEnoughDataError without a word",
                "the verdict would give no reason",
                "say what is lacking",
            ) from error
        return None
    except (Exception, SystemExit) as error:
        raise Fault(
            f"where {when} it raises {describe(error)}",
            "the claim could not be judged, nor any after it",
            "raise NotEnoughDataError, and say what is lacking",
        ) from error


@promises("detector")
def says_when_there_is_too_little(specimen: Specimen) -> None:
    """Of nothing, one seed or one size it finds nothing worse than NotEnoughDataError."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    empty = without_runs(world, lambda cells: cells == cells, Status.NOT_RUN)  # noqa: PLR0124
    finding = looked(detector, empty, "no run is done")
    if finding is not None:
        raise Fault(
            f"where no run is done it finds {shown(finding)}",
            "there is nothing to be seen",
            "raise NotEnoughDataError, and say what is lacking",
        )
    for dimension in ("seed", "model_size", "data_size"):
        first = {role: data.isel({dimension: slice(1)}) for role, data in world.items()}
        looked(detector, first, f"there is one {dimension}")


@promises("detector")
def bears_whatever_a_suite_may_hold(specimen: Specimen) -> None:
    """Parts, swept fields, sizes of several layers and single runs are no surprise."""
    detector: Detector = specimen.make()
    for name, world in oddities(detector.roles).items():
        looked(detector, world, f"there is {name}")


@promises("detector")
def details_survive_json(specimen: Specimen) -> None:
    """The finding's details are the same after a trip through JSON."""
    _, finding = seen(specimen)
    try:
        again = json.loads(json.dumps(dict(finding.details)))
    except (TypeError, ValueError) as error:
        raise Fault(
            f"its details cannot be written as JSON: {error}",
            "verdicts are",
            "write float(…), int(…), str(…) and .tolist() around numpy's values",
        ) from error
    if repr(again) != repr(dict(finding.details)):
        raise Fault(
            f"its details {finding.details!r} come back from JSON as {again!r}",
            "verdicts are written as JSON and read again",
            "write lists for tuples and text for keys",
        )


@promises("detector")
def is_deaf_to_noise(specimen: Specimen) -> str:
    """Where nothing depends on anything, it seldom finds that something does."""
    nothing: float | None = specimen.make().null
    if nothing is None:
        raise Inapplicable("its effect is a level, which noise has, too (`null = None`)")
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    above = below = worlds = 0
    for seed in range(NULL_WORLDS):
        finding = looked(detector, null(world, seed), "runs are dealt out at random")
        if finding is not None:
            worlds += 1
            above += finding.low > nothing
            below += finding.high < nothing
    most = largest_count(worlds)
    if above > most:
        raise Fault(
            f"in {above} of {worlds} worlds where runs are dealt out at random, its interval lies "
            f"above {nothing:g}",
            f"one that is right at its confidence does so in more than {most} with a "
            f"probability below {CERTAINTY:g}",
            "choose on some seeds and measure on others, or write `null = …` in the class: what "
            "the effect is where nothing depends on anything (None if it is a level)",
        )
    return f"above {nothing:g} in {above} of {worlds} null worlds, below in {below}"


def largest_count(worlds: int, rate: float = RATE) -> int:
    """The largest number of findings that is no cause for failure: a binomial bound."""
    tail, count = 1.0, 0
    while tail >= CERTAINTY:
        tail -= math.comb(worlds, count) * rate**count * (1 - rate) ** (worlds - count)
        count += 1
    return count - 1


@promises("detector")
def warns_in_words(specimen: Specimen) -> None:
    """warning() gives None, or says what may escape it."""
    detector: Detector = specimen.make()
    for length in (1, 3, 20):
        lengths = {
            role: {"model_size": length, "data_size": length, "seed": length}
            for role in detector.roles
        }
        answer: Any = detector.warning(lengths)
        if answer is not None and not (isinstance(answer, str) and answer.strip()):
            raise Fault(
                f"warning() gives {answer!r}",
                "`grokbench validate` shows it",
                "return None, or a sentence with what to write instead",
            )
