"""What a detector promises of its findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from grokbench.claims.selection import seeds_trained
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Drawing, Finding
from grokbench.record import Status
from grokbench.testing.conformance.checks import (
    Fault,
    Inapplicable,
    Specimen,
    must,
    must_be_none_or_words,
    must_work,
    promises,
    read_from_json,
    reported_by,
)
from grokbench.testing.conformance.exercises import Exercise
from grokbench.testing.conformance.worlds import candidates, oddities
from grokbench.testing.simulator import World, copied, null, shuffled, without_runs

NULL_WORLDS = 50
"""The number of worlds without any effect that a detector is shown."""

RATE = 0.05
"""How often it may find an effect in them, at its confidence of 0.95."""

CERTAINTY = 1e-3
"""The probability that a detector which keeps this rate is failed nevertheless."""

ROUNDING = 1e-6
"""Curves are float32, and sums of them depend on the order."""


@lru_cache(maxsize=16)
def first_seen(specimen: Specimen) -> tuple[World, Finding]:
    """The first world with enough data for the detector, and its finding. Nobody writes into it.

    Raises:
        NotEnoughDataError: no world has enough data.
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
    """The same, for checks that do not report a lack of findings."""
    with reported_by("finds_something_somewhere"):
        world, finding = first_seen(specimen)
        if not isinstance(finding, Finding):
            raise TypeError("it is not a Finding")
        return world, finding


def looked(detector: Detector, world: Mapping[str, xr.Dataset], when: str) -> Finding | None:
    """The finding; None where there is too little data.

    Raises:
        Fault: it raises another error than NotEnoughDataError, or raises this error without words.
    """
    instead = "raise NotEnoughDataError, and say what is lacking"
    with must_work(f"where {when} it", instead):
        try:
            return detector.find(copied(world))
        except NotEnoughDataError as error:
            words = str(error).strip()
            must(words, f"where {when} it raises NotEnoughDataError without words", instead)
            return None


def numbers(finding: Finding) -> tuple[float, float, float]:
    return float(finding.effect), float(finding.low), float(finding.high)


def alike(first: Finding, second: Finding) -> bool:
    """Equal but for rounding: sums may be taken in another order."""
    return np.allclose(numbers(first), numbers(second), rtol=ROUNDING, atol=ROUNDING)


def shown(finding: Finding) -> str:
    return f"{finding.effect:.6g} [{finding.low:.6g}, {finding.high:.6g}]"


def exercises(specimen: Specimen) -> Iterator[Exercise]:
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    shown = dict(copied(world))

    def act() -> Mapping[str, Any]:
        shown.update(copied(world))
        found = detector.find(shown)
        return {"effect and interval": numbers(found), "evidence": found.evidence}

    def given() -> Mapping[str, Any]:
        return {
            f"{name} of the dataset {role!r}": (one.dims, one.attrs, one.to_numpy().tolist())
            for role, data in shown.items()
            for name, one in data.variables.items()
        }

    yield Exercise(
        detector,
        "find()",
        act,
        "draw resamples from numpy.random.default_rng with a fixed seed",
        given,
    )


@promises(
    "detector",
    why="a claim names an experiment for each",
    instead='write a tuple of different names, ("experiment",) for just one',
)
def plays_named_roles(specimen: Specimen) -> None:
    """Its roles are different names, with which a claim names its experiments."""
    roles = specimen.make().roles
    names = isinstance(roles, tuple) and all(isinstance(r, str) and r for r in roles)
    must(names and 0 < len(roles) == len(set(roles)), f"its roles are {roles!r}")


@promises("detector", why="a claim is judged by the interval of a finding, and readers need words")
def finds_something_somewhere(specimen: Specimen) -> str:
    """In some simulated world it has a finding, and the finding is complete."""
    try:
        _, finding = first_seen(specimen)
    except NotEnoughDataError as error:
        raise Fault(
            f"no simulated world has enough data for it: {error}",
            "show it one of its own: checks_for(…, worlds=[{role: dataset}])",
        ) from error
    found = f"find() gives {type(finding).__name__}"
    must(isinstance(finding, Finding), found, "return a grokbench.Finding")
    for name in ("effect", "low", "high"):
        value = getattr(finding, name)
        must(
            isinstance(value, (int, float)) and not math.isnan(value),
            f"the finding's {name} is {value!r}",
            "write a float, or raise NotEnoughDataError and say what is lacking",
        )
    words = finding.unit and finding.evidence and isinstance(finding.evidence, str)
    must(
        words and type(finding.seeds) is int and finding.seeds > 0,
        f"its unit is {finding.unit!r}, its evidence {finding.evidence!r}, its seeds "
        f"{finding.seeds!r}",
        "write words for unit and evidence, and the number of seeds behind the interval",
    )
    return f"{shown(finding)} {finding.unit}"


@promises(
    "detector",
    why="a claim could be decided against its own effect",
    instead="write low ≤ effect ≤ high; look at which end is which",
)
def interval_holds_the_effect(specimen: Specimen) -> None:
    """In every world, the effect lies in its interval."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    for one in (world, *(null(world, seed) for seed in range(10))):
        with suppress(NotEnoughDataError):
            found = detector.find(copied(one))
            effect, low, high = numbers(found)
            # Rounding in a mean may leave the ends of an interval of no width just beside it.
            slack = ROUNDING * max(1.0, abs(effect))
            must(low - slack <= effect <= high + slack, f"the effect lies outside: {shown(found)}")


@promises(
    "detector",
    why="it is compared with a claim's `minimum_seeds`, and cells of one seed are not independent",
    instead="average over everything but seeds first, and write how many seeds have a value",
)
def counts_its_seeds(specimen: Specimen) -> None:
    """The number of seeds behind its interval is at most the number of trained seeds."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    for one in (world, without_runs(world, first_seed, Status.NOT_RUN)):
        finding = looked(detector, one, "a seed was not run")
        seeds, there = finding.seeds if finding else 0, seeds_trained(one.values())
        must(seeds <= there, f"its finding rests on {seeds} seeds, and there are {there}")


@promises(
    "detector",
    why="claims that are judged together are judged at a higher confidence than a single claim",
    instead="take the quantile from self.confidence",
)
def interval_widens_with_confidence(specimen: Specimen) -> str | None:
    """detector.at(confidence) gives a wider interval for a higher confidence."""
    world, first = seen(specimen)
    detector: Detector = specimen.make()
    found = [detector.at(confidence).find(copied(world)) for confidence in (0.8, 0.95, 0.999)]
    same = detector.confidence == specimen.make().confidence
    must(
        same and alike(first, detector.find(copied(world))),
        "at() changes the detector itself",
        "return a copy, as Detector.at does",
    )
    for narrow, wide in pairwise(found):
        must(
            wide.low <= narrow.low + ROUNDING and wide.high >= narrow.high - ROUNDING,
            f"a higher confidence needs a wider interval, not {shown(wide)} for {shown(narrow)}",
        )
    if not alike(found[0], found[-1]):
        return None
    must(
        first.low == first.high or math.isinf(first.high - first.low),
        f"the interval is {shown(first)} at a confidence of 0.8 and of 0.999",
    )
    return f"not seen: the interval is {shown(first)}"


@promises(
    "detector",
    why="a suite lists sizes and seeds in any order",
    instead="sort by the coordinates first: data.sortby(['parameters', 'data_size', 'seed'])",
)
def order_changes_nothing(specimen: Specimen) -> None:
    """The order of model sizes, data sizes and seeds does not matter."""
    world, finding = seen(specimen)
    for seed in range(5):
        again = specimen.make().find(shuffled(world, seed))
        must(
            alike(finding, again),
            f"it finds {shown(finding)}, and {shown(again)} when the same runs stand in another "
            "order",
        )


@promises(
    "detector",
    why="a suite that is not complete has such cells, and a run that was not run says nothing",
    instead="leave out cells whose status is not 1, data.where(data.status == 1), and never fill "
    "NaN with zero",
)
def bears_missing_cells(specimen: Specimen) -> None:
    """Runs that are not done are left out, and never read as zero."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    generator = np.random.default_rng(0)
    for status in (Status.NOT_RUN, Status.DIVERGED, Status.FAILED):
        for share in (0.1, 0.5):
            holes = without_runs(world, at_random(share, generator), status)
            when = f"{share:.0%} of the runs are {status.name}"
            finding = looked(detector, holes, when)
            must(
                finding is None or not math.isnan(finding.effect),
                f"where {when}, its effect is NaN",
            )
    complete = {role: data.isel(seed=slice(1, None)) for role, data in world.items()}
    expected = looked(detector, complete, "a seed is absent")
    holes = without_runs(world, first_seed, Status.NOT_RUN)
    found = looked(detector, holes, "a seed was not run")
    if expected and found:
        must(
            alike(expected, found),
            f"it finds {shown(expected)} without a seed, and {shown(found)} where that seed is "
            "there and was not run",
        )


def at_random(
    share: float, generator: np.random.Generator
) -> Callable[[xr.DataArray], xr.DataArray]:
    return lambda cells: cells.copy(data=generator.random(cells.shape) < share)


def first_seed(cells: xr.DataArray) -> xr.DataArray:
    """The cells of the first seed."""
    return (cells["seed"] == cells["seed"][0]).broadcast_like(cells)


@promises(
    "detector",
    why="there is nothing to find, and the verdict says what is lacking",
    instead="raise NotEnoughDataError, and say what is lacking",
)
def says_when_there_is_too_little(specimen: Specimen) -> None:
    """With no run, one seed or one size it raises NotEnoughDataError in words, or has a finding."""
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    empty = without_runs(world, lambda cells: cells == cells, Status.NOT_RUN)  # noqa: PLR0124
    if finding := looked(detector, empty, "no run is done"):
        raise Fault(f"where no run is done it finds {shown(finding)}")
    for dimension in ("seed", "model_size", "data_size"):
        first = {role: data.isel({dimension: slice(1)}) for role, data in world.items()}
        looked(detector, first, f"there is one {dimension}")


@promises("detector", why="the error would leave the claim undecided")
def bears_whatever_a_suite_may_hold(specimen: Specimen) -> None:
    """Parts, swept fields, sizes of several layers and single runs raise no other error."""
    detector: Detector = specimen.make()
    for name, world in oddities(detector.roles).items():
        looked(detector, world, f"there is {name}")


@promises(
    "detector",
    why="verdicts are written as JSON and read again",
    instead="write float(…), int(…), str(…) and .tolist() around numpy's values, lists for tuples, "
    "and text for keys",
)
def details_survive_json(specimen: Specimen) -> None:
    """The finding's details are the same after they were written as JSON and read again."""
    details = dict(seen(specimen)[1].details)
    again = read_from_json(details, "its details", nan=True)
    must(repr(again) == repr(details), f"its details {details!r} come back from JSON as {again!r}")


@promises(
    "detector",
    why=f"with a correct confidence, this has a probability below {CERTAINTY:g}",
    instead="choose on some seeds and measure on others, or write `null = …` in the class: what the "
    "effect is where nothing depends on anything (None if it is a level)",
)
def is_deaf_to_noise(specimen: Specimen) -> str:
    """Where there is no effect, it finds one no more often than its confidence allows."""
    nothing: float | None = specimen.make().null
    if nothing is None:
        raise Inapplicable("its effect is a level, which noise has, too (`null = None`)")
    world, _ = seen(specimen)
    detector: Detector = specimen.make()
    looks = [
        looked(detector, null(world, seed), "runs are exchanged at random")
        for seed in range(NULL_WORLDS)
    ]
    found = [finding for finding in looks if finding is not None]
    above = sum(finding.low > nothing for finding in found)
    below = sum(finding.high < nothing for finding in found)
    most = largest_count(len(found))
    must(
        above <= most,
        f"where runs are exchanged at random, its interval lies above {nothing:g} in {above} of "
        f"{len(found)} worlds, more than {most}",
    )
    return f"above {nothing:g} in {above} of {len(found)} null worlds, below in {below}"


def largest_count(worlds: int, rate: float = RATE) -> int:
    """The largest number of findings that is no fault: an upper quantile of the binomial."""
    tail, count = 1.0, 0
    while tail >= CERTAINTY:
        tail -= math.comb(worlds, count) * rate**count * (1 - rate) ** (worlds - count)
        count += 1
    return count - 1


@promises("detector", why="the author of the suite reads it")
def warns_in_words(specimen: Specimen) -> None:
    """warning() returns None, or says what the detector may miss."""
    detector: Detector = specimen.make()
    for length in (1, 3, 20):
        lengths = dict.fromkeys(("model_size", "data_size", "seed"), length)
        answer = detector.warning(dict.fromkeys(detector.roles, lengths))
        must_be_none_or_words("warning()", answer)


@promises(
    "detector",
    why="the report shows it beside the verdict",
    instead="return None, or a grokbench.Drawing of a matplotlib.figure.Figure, with words for title, "
    "caption and alternative; raise NotEnoughDataError where there is nothing to draw",
)
def figure_can_be_shown(specimen: Specimen) -> str | None:
    """figure() returns None, or a figure that the report can draw, and the words beside it."""
    world, found = seen(specimen)
    detector: Detector = specimen.make()
    for finding in (found, None):
        with must_work("figure()" if finding else "figure() without a finding"):
            try:
                drawing: Any = detector.figure(copied(world), finding)
            except NotEnoughDataError:
                continue
            if drawing is None:
                continue
            must(isinstance(drawing, Drawing), f"figure() gives {type(drawing).__name__}")
            # Judging needs no matplotlib, and neither do detectors without a figure.
            from grokbench.report.svg import inline_svg

            inline_svg(drawing, "figure")
    return None
